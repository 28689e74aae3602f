"""Devices behind small Protocols, each family with its simulated twin."""
