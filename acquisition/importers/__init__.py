"""Readers of foreign formats: LeCroy waveforms, NPZ and CSV."""
