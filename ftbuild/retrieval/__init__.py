"""Retrieval: documents cut into passages, passages found for a question, and both put into one prompt.

Pure: gets bytes and texts, returns passages and findings. Knows nothing of files, splits' shares or providers.
"""
