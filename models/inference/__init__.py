"""Likelihoods and fits: spectra, pairs, reheating curves."""
