"""Trajectories in the full field, limit cycles, and when the linear model may be believed."""
