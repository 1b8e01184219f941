"""SEEN: what is drawn from events."""
