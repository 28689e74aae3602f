"""A run file in pieces of one light each: what a fit of many lights is made of.

Every piece is a record of its own with the light that held while it was taken, phase reversal
included, and the pressure that was read. Releases are cut into blocks where asked for: constants
may drift between blocks, and those at φ and φ + π of one block share what drifted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...models.errors import InputError
from ...models.inference.reheating.estimate import MIN_REPETITIONS
from ...models.light import TweezerState
from ...models.units import to_si
from ..ranges import NO_END
from ..release_setting import Setting
from ..run_digest import LightSpan, RunDigest
from ..runfile import RunFile
from .record import Ranges, Record
from .selected import ChosenSource

__all__ = ["Optics", "Piece", "optics_of", "pieces_of"]


@dataclass(frozen=True)
class Piece:
    """Part of a run under one light.

    Attributes
    ----------
    record : Record
        Its samples.
    kind : {"steady", "released"}
        What it holds.
    state : TweezerState
        The light as it was set, what a reversal added included.
    pressure : float or None
        Mean of the gauge's readings meanwhile, Pa; of the rig's gas where there were none.
    group : str
        Equal for pieces that were taken in turns.
    name : str
        For tables.
    """

    record: Record
    kind: Literal["steady", "released"]
    state: TweezerState
    pressure: float | None
    group: str
    name: str


@dataclass(frozen=True)
class Optics:
    """What a rig file says of the first two tweezers.

    Attributes
    ----------
    wavelength : float
        m.
    waists : (float, float)
        Means of both tweezers along x and y, m.
    powers : (float, float)
        W.
    """

    wavelength: float
    waists: tuple[float, float]
    powers: tuple[float, float]


def optics_of(record: Record) -> Optics:
    """The optics of the rig that a run file holds.

    Raises
    ------
    InputError
        If it is no run file or its rig says nothing of two tweezers.
    """
    document = _rig_of(record)
    try:
        beams = document["tweezers"][:2]
        waists = [
            float(np.mean([to_si(beam[key], "m") for beam in beams]))
            for key in ("waist_x", "waist_y")
        ]
        first, second = (to_si(beam["power"], "W") for beam in beams)
        wavelength = to_si(document["wavelength"], "m")
    except (KeyError, TypeError, ValueError, IndexError):
        raise InputError(f"{record.path} tells no wavelength, waists and powers") from None
    return Optics(wavelength, (waists[0], waists[1]), (first, second))


def _rig_of(record: Record) -> Mapping[str, Any]:
    if record.kind != "run":
        raise InputError(f"{record.path} is no run file: its light is not known, say what it was")
    with RunFile.open(record.path) as run:
        document = run.manifest["config"].get("rig")
    return document if isinstance(document, Mapping) else {}


def pieces_of(record: Record, block: int | None = None) -> list[Piece]:
    """Cut a run file by its light.

    Parameters
    ----------
    record : Record
        Of one run file.
    block : int, optional
        Repetitions of a block of releases, those at φ and φ + π together; all by default.

    Returns
    -------
    list of Piece
        In the order of time; left out is what is too short to be fitted, and releases while φ
        turned.

    Raises
    ------
    InputError
        For other formats, several joined files, or a run whose light is not known.
    """
    if block is not None and block < MIN_REPETITIONS:
        raise InputError(f"block must be at least {MIN_REPETITIONS} repetitions, got {block}")
    document = _rig_of(record)
    with RunFile.open(record.path) as run:
        digest, recorded = run.digest(), run.recorded()
        slow = [(r.sample, r.value) for r in run.slow() if r.name == "pressure"]
    if len(recorded) != len(record.recorded()):
        raise InputError(f"{record.path} is joined with other files: name them one by one")
    spans = [span for span in digest.lights if len(span.state.sites) >= 2]
    if not spans:
        raise InputError(
            f"{record.path} does not tell its light: say φ and the distance (settings=, --phi, "
            "--distance)"
        )
    gas = _gas_pressure(document)
    found = []
    for number, span in enumerate(spans):
        stop = spans[number + 1].begin if number + 1 < len(spans) else NO_END
        pressure = _pressure(slow, span.start, stop, gas)
        label = record.path.name if len(spans) == 1 else f"{record.path.name}#{number}"
        label = label if record.path.name != "run.h5" else f"{record.path.parent.name}/{label}"
        steady = digest.steady(recorded).cut_to(Ranges([(span.start, stop)]))
        if len(steady):
            found.append(_piece(record, "steady", span.state, pressure, (label, label), steady))
        found += _released(record, digest, span, stop, pressure, label, block)
    return found


def _released(
    record: Record,
    digest: RunDigest,
    span: LightSpan,
    stop: int,
    pressure: float | None,
    label: str,
    block: int | None,
) -> list[Piece]:
    """Releases of a light by block and phase."""
    usable = [
        r for r in digest.releases
        if r.excluded is None and span.start <= r.first_sample and r.end_sample <= stop
    ]  # fmt: skip
    if not usable:
        return []
    count = max(r.repetition for r in usable) + 1
    blocks = 1 if block is None else max(1, count // block)
    found = []
    for number in range(blocks):
        low = number * (block or 0)
        high = math.inf if number == blocks - 1 else low + (block or 0)
        own = [r for r in usable if low <= r.repetition < high]
        for setting in sorted({r.setting for r in own}):
            ranges = Ranges(
                np.array([(r.first_sample, r.end_sample) for r in own if r.setting == setting])
            )
            if len(ranges) < MIN_REPETITIONS or setting.phase_rate:
                continue
            group = label if blocks == 1 else f"{label}, block {number}"
            name = group + (", reversed" if setting.phase else "")
            if setting.power != 1.0:
                # A drift of φ is shared by what is released in turns, at one power.
                group, name = (f"{text}, power × {setting.power:g}" for text in (group, name))
            state = _light_in(span.state, setting)
            found.append(_piece(record, "released", state, pressure, (group, name), ranges))
    return found


def _light_in(state: TweezerState, setting: Setting) -> TweezerState:
    """Light of releases: as it was set, φ turned and the power stepped."""
    state = state.with_site(0, phase=state.sites[0].phase + setting.phase)
    for number, site in enumerate(state.sites):
        if setting.trap in ("all", str(number + 1)):
            state = state.with_site(number, power=site.power * setting.power)
    return state


def _piece(
    record: Record,
    kind: Literal["steady", "released"],
    state: TweezerState,
    pressure: float | None,
    words: tuple[str, str],
    ranges: Ranges,
) -> Piece:
    none = Ranges()
    releases, steady = (ranges, none) if kind == "released" else (none, ranges)
    source = ChosenSource(record.path, record.source, releases, steady)
    part = replace(record, source=source, worth=None)
    return Piece(part, kind, state, pressure, *words)


def _pressure(
    slow: Sequence[tuple[int, float]], start: int, stop: int, gas: float | None
) -> float | None:
    """Mean of the readings under a light; the last one before it, or what the rig says, else."""
    good = [(sample, value) for sample, value in slow if math.isfinite(value)]
    inside = [value for sample, value in good if start <= sample < stop]
    before = [value for sample, value in good if sample < start]
    chosen = inside or before[-1:]
    return float(np.mean(chosen)) if chosen else gas


def _gas_pressure(document: Mapping[str, Any]) -> float | None:
    try:
        return float(to_si(document["gas"]["pressure"], "Pa"))
    except (KeyError, TypeError, ValueError):
        return None
