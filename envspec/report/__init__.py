"""SEEN: pure functions from events and states to lines of text. Nothing here prints, reads files or knows the time."""
