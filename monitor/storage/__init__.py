"""Files: appended whole, replaced whole, and written apart from the main work so that a full disk stops nothing."""
