"""Events to windows to condition to episode: pure and synchronous, no I/O and no clock."""
