"""The way out: the one package that knows the OpenAI SDK.

Owns the wire client, the translation of its errors, and the start of the embedded server as a
process of its own (never by import). Importing this package is cheap; `wire` imports the SDK.
"""
