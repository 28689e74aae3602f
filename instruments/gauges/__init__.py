"""Pressure gauges."""
