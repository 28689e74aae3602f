"""Fits by the exact likelihood of raw samples: a Kalman filter of the linear model."""
