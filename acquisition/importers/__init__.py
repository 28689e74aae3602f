"""Recorded data from files: our run files, LeCroy waveforms, NPZ and CSV."""

from .load import load_record
from .record import Record

__all__ = ["Record", "load_record"]
