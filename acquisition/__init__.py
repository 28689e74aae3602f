"""Blocks, ring, spectra, run files, plans and the runner: from a digitizer to a record."""
