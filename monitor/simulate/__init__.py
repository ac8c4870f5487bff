"""A small market with leveraged positions, and exchanges on this machine that show it in their own dialects."""
