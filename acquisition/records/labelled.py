"""Samples of a record with their axes and units, as tables of xarray and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.errors import InputError
from ...models.inference.notebook import package

if TYPE_CHECKING:
    from .record import Record

__all__ = ["to_pandas", "to_xarray"]


def to_xarray(record: Record, start: int | None, stop: int | None) -> Any:
    """Return samples as an ``xarray.Dataset``, see :meth:`.record.Record.to_xarray`."""
    xarray = package("xarray")
    low, high = _one_stretch(record, start, stop)
    values = record.read(low, high)
    time = ("time", np.arange(low, high) / record.sample_rate, {"units": "s"})
    data = {
        name: ("time", values[:, column], {"units": record.unit})
        for column, name in enumerate(record.names)
    }
    about = {"source": record.path.name, "sample_rate": record.sample_rate, "unit": record.unit}
    return xarray.Dataset(data, coords={"time": time}, attrs=about)


def to_pandas(record: Record, start: int | None, stop: int | None) -> Any:
    """Return samples as a ``pandas.DataFrame``, see :meth:`.record.Record.to_pandas`."""
    low, high = _one_stretch(record, start, stop)
    pandas = package("pandas")
    time = pandas.Index(np.arange(low, high) / record.sample_rate, name="time (s)")
    frame = pandas.DataFrame(record.read(low, high), index=time, columns=list(record.names))
    frame.attrs.update(unit=record.unit, sample_rate=record.sample_rate, source=record.path.name)
    return frame


def _one_stretch(record: Record, start: int | None, stop: int | None) -> tuple[int, int]:
    """Range of samples that is asked for."""
    ranges = record.recorded()
    if (start is None or stop is None) and len(ranges) != 1:
        raise InputError(
            f"{record.path} holds {len(ranges)} stretches: give start and stop within one of "
            "record.recorded()"
        )
    low, high = ranges[0]
    return low if start is None else start, high if stop is None else stop
