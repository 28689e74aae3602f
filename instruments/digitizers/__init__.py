"""Digitizers, analogue outputs and digital gates."""
