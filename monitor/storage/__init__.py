"""Writes files: appended in whole chunks, or replaced whole with a checksum, in threads that a full disk may block."""
