"""Knobs and sensors: what their drivers share, and adapters of instruments that others drive."""
