"""The simulated laboratory: one world, and devices that are windows onto it."""
