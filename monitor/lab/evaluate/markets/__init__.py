"""Markets to evaluate on: their events, what was watched of them, and the labels of what really happened."""
