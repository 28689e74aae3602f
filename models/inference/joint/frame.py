"""Where each parameter of a global fit stands, and how the records follow from them.

Own parameters: ω̃_1, ω̃_2, D_11, D_22 of every record, what else its likelihood has, the drift of φ
of every group, and of every light the five numbers by which it departs from the law, in units of
the law's tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .law import LAW, Foreseen, PairLaw, PairSetting, setting_table
from .parts import Part
from .seen import SEEN, Motion, mixed

__all__ = ["Frame", "Tolerances"]

_Array = NDArray[np.float64]
_Index = NDArray[np.intp]

_RECORD = 4  # ω̃_1, ω̃_2, D_11, D_22 of a record
_LIGHT = 5  # departures of g_r, g_a, Re D_12, ω̃_1, ω̃_2 of a light
_STEP = 1e-6


@dataclass(frozen=True)
class Tolerances:
    """What the law lacks, one standard deviation each.

    Attributes
    ----------
    coupling : float
        Of g_r, g_a and Re D_12 at one light, rad/s.
    line : float
        Of the lines at one light, rad/s.
    jitter : float
        Of the lines from record to record, rad/s.
    phase : float
        Drift of φ of a group of records, rad; 0 for none.
    """

    coupling: float
    line: float
    jitter: float
    phase: float = 0.0


class _Slots(NamedTuple):
    """Places among the own parameters."""

    record: _Index  # (n, 4)
    others: tuple[_Index, ...]
    turn: _Index  # (n,), of the group of each record; −1 without drift
    light: _Index  # (n, 5), of the light of each record


@dataclass(frozen=True)
class Frame:
    """The layout of one global fit; made by :meth:`of`."""

    law: PairLaw
    settings: tuple[PairSetting, ...]
    table: _Array
    tolerances: Tolerances
    lights: tuple[PairSetting, ...]
    light_of: _Index
    groups: int
    slots: _Slots
    names: tuple[tuple[str, ...], ...]
    starts: tuple[_Array, ...]
    raw: NDArray[np.bool_]
    steady: NDArray[np.bool_]
    size: int

    @classmethod
    def of(
        cls,
        law: PairLaw,
        settings: Sequence[PairSetting],
        parts: Sequence[Part],
        groups: Sequence[int],
        tolerances: Tolerances,
        raw: Sequence[bool] = (),
        steady: Sequence[bool] = (),
    ) -> Frame:
        """Lay out the parameters of these records."""
        n = len(parts)
        keys = list(dict.fromkeys(s.same_light for s in settings))
        light_of = np.array([keys.index(s.same_light) for s in settings])
        first = [int(np.flatnonzero(light_of == i)[0]) for i in range(len(keys))]
        record = np.arange(n * _RECORD).reshape(n, _RECORD)
        at, others = record.size, []
        for part in parts:
            others.append(np.arange(at, at + len(part.others)))
            at += len(part.others)
        count = max(groups) + 1
        turn = np.full(n, -1)
        if tolerances.phase > 0.0:
            turn = at + np.array(groups)
            at += count
        light = at + light_of[:, None] * _LIGHT + np.arange(_LIGHT)
        return cls(
            law, tuple(settings), setting_table(settings), tolerances,
            tuple(settings[i] for i in first), light_of, count,
            _Slots(record, tuple(others), turn, light),
            tuple(part.names for part in parts), tuple(part.start for part in parts),
            np.array(raw or [False] * n), np.array(steady or [False] * n), at + len(keys) * _LIGHT,
        )  # fmt: skip

    @property
    def constrained(self) -> int:
        """Number of own parameters of which something is known beforehand: drifts, departures."""
        return len(np.unique(self.slots.turn[self.slots.turn >= 0])) + len(self.lights) * _LIGHT

    def of_parts(self, parts: Sequence[Part]) -> Frame:
        """The same layout of records that were measured once more."""
        return replace(self, starts=tuple(part.start for part in parts))

    def start(self) -> _Array:
        """Own parameters as the records alone estimate them, no drift, no departure."""
        own = np.zeros(self.size)
        for i, (names, start) in enumerate(zip(self.names, self.starts, strict=True)):
            for column, name in enumerate(("omega_1", "omega_2", "D11", "D22")):
                own[self.slots.record[i, column]] = start[names.index(name)]
            others = self.slots.others[i]
            own[others] = start[len(start) - len(others) :]
        return own

    def foreseen(self, values: _Array, own: _Array) -> Foreseen:
        """The law at the lights of all records, drifts of φ included; leading dimensions stay."""
        turn = np.where(self.slots.turn >= 0, own[..., self.slots.turn], 0.0)
        named = {name: values[..., j, None] for j, name in enumerate(LAW)}
        return self.law.foresee_table(named, self.table, turn)

    def shown(self, values: _Array, own: _Array) -> tuple[_Array, _Array]:
        """What fits of the records should find, and how far their lines are from the law.

        Returns
        -------
        seen : ndarray, shape (…, n, 8)
            Columns ``SEEN``.
        lines : ndarray, shape (…, n, 2)
            ω̃_j of the records less those of the law and of their light, over their jitter.
        """
        law, t = self.foreseen(values, own), self.tolerances
        own_lines = own[..., self.slots.record[:, :2]]
        light = own[..., self.slots.light]
        # A record in quanta of ω shows q²D, q = ω over the mean line ω + g_r; one in metres qD.
        raw = 1.0 - law.g_r / (0.5 * (law.omega_1 + law.omega_2))
        motion = Motion(
            own_lines[..., 0],
            own_lines[..., 1],
            law.g_r + t.coupling * light[..., 0],
            law.g_a + t.coupling * light[..., 1],
            own[..., self.slots.record[:, 2]],
            own[..., self.slots.record[:, 3]],
            np.where(self.raw, raw, 1.0) * (law.re_D12 + t.coupling * light[..., 2]),
        )
        m12, m21, one, two, delay, common = (values[..., len(LAW) + j, None] for j in range(6))
        found = mixed(motion, (m12, m21, one, two))
        found[..., 6] += np.where(self.steady, common, 0.0)
        late = np.broadcast_to(delay, found.shape[:-1])[..., None]
        foreseen = np.stack([law.omega_1, law.omega_2], axis=-1) + t.line * light[..., 3:]
        return np.concatenate([found, late], axis=-1), (own_lines - foreseen) / t.jitter

    def linearised(self, values: _Array, own: _Array) -> tuple[_Array, _Array, _Array, _Array]:
        """Seen (n, 8) and lines (n, 2), and their derivatives (n, 8, m), (n, 2, m).

        The m columns: shared parameters, the record's four, drift, the light's five.
        """
        slots = (*self.slots.record.T, self.slots.turn, *self.slots.light.T)
        count, p = len(values) + len(slots), len(values)
        shift, moved = np.zeros((count, p)), np.zeros((count, self.size))
        shift[np.arange(p), np.arange(p)] = _STEP * np.maximum(np.abs(values), 1.0)
        # Parameters of different records do not meet: one step serves all of them.
        for row, places in enumerate(slots, start=p):
            if (places >= 0).all():
                moved[row, places] = _STEP * np.maximum(np.abs(own[places]), 1.0)
        steps = np.zeros((count, len(self.settings)))
        steps[:p] = shift[np.arange(p), np.arange(p)][:, None]
        for row, places in enumerate(slots, start=p):
            steps[row] = np.where(places >= 0, moved[row, places], 1.0)
        seen, lines = self.shown(
            np.concatenate([values + shift, values - shift, values[None]]),
            np.concatenate([own + moved, own - moved, own[None]]),
        )
        half = 2.0 * steps[..., None]
        slopes = [
            np.moveaxis((table[:count] - table[count : 2 * count]) / half, 0, -1)
            for table in (seen, lines)
        ]
        return seen[-1], lines[-1], slopes[0], slopes[1]

    def _places(self, i: int, p: int) -> tuple[_Index, _Index]:
        """Parameters that a record depends on, shared ones first, and their columns among m."""
        own = np.concatenate([self.slots.record[i], [self.slots.turn[i]], self.slots.light[i]])
        there = own >= 0
        places = np.concatenate([np.arange(p), p + own[there]])
        return places, np.concatenate([np.arange(p), p + np.flatnonzero(there)])

    def chain(self, i: int, jacobian: _Array) -> tuple[_Index, _Array]:
        """Places of the parameters that a record depends on, and its derivatives by them."""
        p, others = jacobian.shape[1] - _RECORD - 1 - _LIGHT, self.slots.others[i]
        places, kept = self._places(i, p)
        names = self.names[i]
        rows = np.array([SEEN.index(n) for n in names if n in SEEN])
        chain = np.zeros((len(names), len(places) + len(others)))
        chain[: len(rows), : len(kept)] = jacobian[np.ix_(rows, kept)]
        chain[len(rows) :, len(kept) :] = np.eye(len(others))
        return np.concatenate([places, p + others]), chain

    def own_values(self, i: int, seen: _Array, own: _Array) -> _Array:
        """A record's parameters in its own order, from what it should show."""
        rows = [SEEN.index(n) for n in self.names[i] if n in SEEN]
        return np.concatenate([seen[rows], own[self.slots.others[i]]])

    def prior_rows(self, own: _Array, lines: _Array, slopes: _Array) -> tuple[_Array, _Array]:
        """Rows whose sum of squares is −2 ln of what is known of own parameters, with slopes."""
        n, p = len(self.settings), slopes.shape[2] - _RECORD - 1 - _LIGHT
        turns = np.unique(self.slots.turn[self.slots.turn >= 0])
        free = np.concatenate([turns, np.unique(self.slots.light)])
        sizes = np.where(np.arange(len(free)) < len(turns), self.tolerances.phase or 1.0, 1.0)
        table = np.zeros((len(free) + 2 * n, p + len(own)))
        table[np.arange(len(free)), p + free] = 1.0 / sizes
        for i in range(n):
            places, kept = self._places(i, p)
            rows = len(free) + 2 * i + np.arange(2)
            table[np.ix_(rows, places)] = slopes[i][:, kept]
        return np.concatenate([own[free] / sizes, lines.ravel()]), table

    def drawn(self, values: _Array, own: _Array, rng: np.random.Generator) -> _Array:
        """Own parameters with drifts, departures and lines drawn anew."""
        other, t = own.copy(), self.tolerances
        if t.phase > 0.0:
            places = np.unique(self.slots.turn)
            other[places] = t.phase * rng.standard_normal(len(places))
        places = np.unique(self.slots.light)
        other[places] = rng.standard_normal(len(places))
        law = self.foreseen(values, other)
        for j, line in enumerate((law.omega_1, law.omega_2)):
            departure = t.line * other[self.slots.light[:, 3 + j]]
            jitter = t.jitter * rng.standard_normal(len(line))
            other[self.slots.record[:, j]] = line + departure + jitter
        return other
