"""Feedback controllers: what their drivers share, drivers of real ones, the limits of a rig."""
