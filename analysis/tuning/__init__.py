"""Tuning of feedback loops from out-of-loop spectra: what was seen, and what is tried next."""
