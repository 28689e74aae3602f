"""Fits of auto and cross spectra."""
