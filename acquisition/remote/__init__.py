"""A running session for other programs: an authenticated channel, on loopback by default."""
