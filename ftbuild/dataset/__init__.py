"""Examples -> a dataset: styled, deduplicated, split. Order and bytes follow from content alone.

Pure. Knows nothing of training formats or providers.
"""
