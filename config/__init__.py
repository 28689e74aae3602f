"""Rigs and plans: TOML with units, validated, and turned into devices and frozen plans."""
