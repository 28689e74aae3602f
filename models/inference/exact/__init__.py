"""The exact likelihood of raw samples: the Kalman filter of the linear model."""
