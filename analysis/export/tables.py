"""What is exported beside samples: spectra, curves, fits, slow channels and events, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...acquisition.records.record import Record
from ...acquisition.runfile import RunFile
from ...models.errors import InputError
from ...models.json_values import json_text
from ..averaging import average_spectra
from ..reheating import analyse_reheating
from ..spectrum import analyse_spectrum

__all__ = ["KINDS", "Column", "Table", "available", "table_of"]


@dataclass(frozen=True)
class Column:
    """A column with its unit ("" for numbers and text without one)."""

    name: str
    unit: str
    values: NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Columns of one length, and a sentence that says what they are."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0].values)


def _texts(values: list[str]) -> NDArray[Any]:
    """Texts as an array, also when there are none."""
    return np.array(values, dtype=object)


def _events(record: Record) -> Table:
    with RunFile.open(record.path) as run:
        events = list(run.each_event())
    columns = (
        Column("sample", "", np.array([e.sample for e in events], np.int64)),
        Column("host_time", "s", np.array([e.host_time for e in events], np.float64)),
        Column("kind", "", _texts([str(e.kind.value) for e in events])),
        Column("payload", "", _texts([json_text(dict(e.payload)) for e in events])),
    )
    return Table("events", "what happened at which sample; host_time since 1970", columns)


def _slow(record: Record) -> Table:
    with RunFile.open(record.path) as run:
        readings = run.slow()
    columns = (
        Column("sample", "", np.array([r.sample for r in readings], np.int64)),
        Column("host_time", "s", np.array([r.host_time for r in readings], np.float64)),
        Column("name", "", _texts([r.name for r in readings])),
        Column("value", "", np.array([r.value for r in readings], np.float64)),
        Column("unit", "", _texts([r.unit for r in readings])),
        Column("status", "", _texts([r.status for r in readings])),
    )
    return Table("slow", "readings of slow channels; host_time since 1970", columns)


def _spectra(record: Record) -> Table:
    csd = average_spectra(record)
    unit = f"{csd.unit}^2/Hz"
    columns = [Column("frequency", "Hz", csd.frequencies)]
    for j in range(csd.channels):
        columns.append(Column(f"S_{j + 1}{j + 1}", unit, csd.matrix[:, j, j].real.copy()))
    for j in range(csd.channels):
        for m in range(j + 1, csd.channels):
            entry = csd.matrix[:, j, m]
            columns.append(Column(f"re_S_{j + 1}{m + 1}", unit, entry.real.copy()))
            columns.append(Column(f"im_S_{j + 1}{m + 1}", unit, entry.imag.copy()))
    about = (
        f"one-sided S_jl = <Z_j Z_l*>, Hann, segments of {csd.segment} samples, {csd.averages} "
        f"averages ({csd.effective_averages:.4g} independent ones)"
    )
    return Table("spectra", about, tuple(columns))


def _curves(record: Record) -> Table:
    estimate = analyse_reheating(record, estimator="transitions").estimate
    unit = f"{estimate.unit}^2"
    values = (estimate.E1, estimate.E2, estimate.C.real, estimate.C.imag)
    columns = [Column("time", "s", estimate.times)]
    for name, value, error in zip(
        ("E_1", "E_2", "re_C", "im_C"), values, estimate.stderr, strict=True
    ):
        columns += [Column(name, unit, value), Column(f"stderr_{name}", unit, error)]
    about = (
        f"mean energies and correlation after the release, {estimate.repetitions} releases, raw: "
        "with the imprecision of the detectors; points of one curve correlate"
    )
    return Table("curves", about, tuple(columns))


def _fits(record: Record) -> Table:
    stored: Mapping[str, Any] = {}
    if record.kind == "run":
        with RunFile.open(record.path) as run:
            results = run.results()
        stored = {k: v for k, v in results.items() if isinstance(v, dict) and "parameters" in v}
    if not stored:
        stored = _made(record)
    rows = [
        (fit, name, p) for fit, found in stored.items() for name, p in found["parameters"].items()
    ]
    number = [(p["value"], p["stderr"]) for _, _, p in rows]
    both = np.array([[np.nan if v is None else v for v in pair] for pair in number], np.float64)
    columns = (
        Column("fit", "", _texts([fit for fit, _, _ in rows])),
        Column("parameter", "", _texts([name for _, name, _ in rows])),
        Column("value", "", both[:, 0]),
        Column("stderr", "", both[:, 1]),
        Column("unit", "", _texts([p["unit"] for _, _, p in rows])),
    )
    return Table("fits", "parameters with one standard error (nan: fixed)", columns)


def _made(record: Record) -> dict[str, Any]:
    """Fits of what a record allows."""
    found, refusals = {}, []
    makers: dict[str, Callable[[], Any]] = {
        "spectrum": lambda: analyse_spectrum(record).result,
        "reheating": lambda: analyse_reheating(record).result,
    }
    for name, make in makers.items():
        try:
            found[name] = make().to_dict()
        except InputError as error:
            refusals.append(str(error))
    if not found:
        raise InputError(f"no fit of {record.path}: {'; '.join(refusals)}")
    return found


_MAKERS: dict[str, Callable[[Record], Table]] = {
    "spectra": _spectra,
    "curves": _curves,
    "fits": _fits,
    "slow": _slow,
    "events": _events,
}

KINDS = ("samples", *_MAKERS)
"""What can be exported."""


def available(record: Record) -> tuple[str, ...]:
    """What is exported of a record unless somebody asks for more."""
    return ("samples", "slow", "events") if record.kind == "run" else ("samples",)


def table_of(record: Record, kind: str) -> Table:
    """Make a table.

    Parameters
    ----------
    record : Record
        The record.
    kind : str
        One of :data:`KINDS` other than "samples".

    Raises
    ------
    InputError
        If the record holds nothing of the kind.
    """
    if kind in ("slow", "events") and record.kind != "run":
        raise InputError(f"{record.path} holds no {kind}: only run files do")
    return _MAKERS[kind](record)
