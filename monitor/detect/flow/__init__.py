"""Forced flow: exact rolling sums, what is normal for them, and what throttled feeds hide."""
