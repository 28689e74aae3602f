"""A record as the window looks at it: what happened, any stretch of it, fits of that stretch."""
