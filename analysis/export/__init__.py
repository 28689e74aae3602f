"""A record and what was found in it, in the formats of other programs."""
