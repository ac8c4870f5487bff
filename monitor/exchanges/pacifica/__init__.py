"""The adapter of Pacifica."""
