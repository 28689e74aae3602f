"""Gaussian quantum states of the pair and the statements of the Letter about them."""
