"""Sweeps: a plan measured at many set-points, in one folder that can be gone on with."""
