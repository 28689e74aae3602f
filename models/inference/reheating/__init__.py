"""Fits of what happens after a release: averaged curves and transitions."""
