"""The command line. Every command reads its options and calls one function elsewhere."""
