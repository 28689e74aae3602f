"""Readers of foreign formats; ``catalogue.py`` says who reads which, and how others join in."""
