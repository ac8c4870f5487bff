"""Defines the command line; every command reads its options and calls one function elsewhere."""
