"""Exact likelihood of a band of steady records, and fits by it."""
