"""Files: appended whole, replaced whole with a checksum, and written so that a full disk stops nothing else."""
