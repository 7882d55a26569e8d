"""What was made: artifacts by digest, and one record per key.

Owns outputs/.ftbuild/. Knows nothing of what the bytes mean. Everything is written once and
atomically: temporary file, fsync, rename, fsync of the folder.
"""
