"""Feedback loops of a session: set as commands, probed between two blocks, backed off at once."""
