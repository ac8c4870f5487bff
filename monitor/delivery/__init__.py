"""What goes out: signals, metrics and health."""
