"""Trajectories in the full field, beyond the linear model, and when the linear model may be believed."""
