"""The adapter of Extended."""
