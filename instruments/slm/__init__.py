"""Spatial light modulators: a display driven as a second screen, vendors' panels by slmsuite."""
