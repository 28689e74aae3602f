"""The law of a pair as it is steered: knobs that move each other, detectors that mix.

Turning one knob moves what the others set: with the distance φ turns, with φ the distance changes,
and so on. In natural units (φ in rad, distance as kd in rad, balance such that ``BALANCE`` is π)
what acts is (1 + c) times what was set, counted from the light of the beginning; the six c are
fitted with all else. A fit sees the pair through a mixing of the detectors (:mod:`..joint.seen`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..joint.law import LAW, PairLaw
from ..joint.seen import Motion, mixed

__all__ = ["BALANCE", "CROSS", "KNOBS", "MIXING", "Knobs", "SteeredLaw"]

_Array = NDArray[np.float64]

KNOBS = ("phi", "distance", "balance")

CROSS = tuple(f"{a}_by_{b}" for a in KNOBS for b in KNOBS if a != b)
"""Cross-talk of the knobs: by how much one moves when another is turned, in natural units."""

MIXING = ("mix_12", "mix_21", "gain_2")
"""Mixing of the detectors, and the gain of the second over that of the first."""

BALANCE = 0.1
"""Balance that counts as π in the cross-talk of knobs."""


@dataclass(frozen=True)
class Knobs:
    """A setting of the light as its knobs have it.

    Attributes
    ----------
    phi : float
        rad.
    distance : float
        m.
    balance : float
        (P_2 − P_1)/(P_1 + P_2).
    total : float
        P_1 + P_2, W.
    seen : bool
        What a fit finds there, with the mixing of the detectors; else what there is.
    """

    phi: float
    distance: float
    balance: float
    total: float
    seen: bool = True


@dataclass(frozen=True)
class SteeredLaw:
    """What fits find at settings of the knobs.

    Attributes
    ----------
    law : PairLaw
        The optics.
    origin : Knobs
        The light of the beginning.
    heating : (float, float)
        D_11 and D_22 as fits find them, 1/s: what mixing adds to Re D_12.
    """

    law: PairLaw
    origin: Knobs
    heating: tuple[float, float] = (0.0, 0.0)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of the law, cross-talk of the knobs, mixing of the detectors."""
        return (*LAW, *CROSS, *MIXING)

    def columns(self, values: _Array, settings: Sequence[Knobs]) -> _Array:
        """g_r, g_a, re_D12, omega_1, omega_2, rad/s.

        Parameters
        ----------
        values : ndarray, shape (k, 16)
            ``parameters``.
        settings : sequence of Knobs
            n of them.

        Returns
        -------
        ndarray, shape (k, n, 5)
        """
        at = {name: values[:, j, None] for j, name in enumerate(self.parameters)}
        found = self.law.foresee_table({n: at[n] for n in LAW}, self._acting(at, settings))
        bare = np.stack([found.g_r, found.g_a, found.re_D12, found.omega_1, found.omega_2], axis=-1)
        seen = np.array([s.seen for s in settings])
        if not seen.any():
            return bare
        d11, d22 = (np.broadcast_to(d, found.g_r.shape) for d in self.heating)
        motion = Motion(found.omega_1, found.omega_2, found.g_r, found.g_a, d11, d22, found.re_D12)
        through = mixed(motion, (at["mix_12"], at["mix_21"], 1.0, at["gain_2"]))
        through = through[..., [2, 3, 6, 0, 1]]
        return np.asarray(np.where(seen[:, None], through, bare))

    def _acting(self, at: dict[str, _Array], settings: Sequence[Knobs]) -> _Array:
        """Columns φ, d, P_1, P_2 of the law, (k, n, 4): what acts where the knobs are set so."""
        o, k, scale = self.origin, self.law.k, BALANCE / math.pi
        turned = np.array([math.remainder(s.phi - o.phi, math.tau) for s in settings])
        moved = np.array([k * (s.distance - o.distance) for s in settings])
        shared = np.array([(s.balance - o.balance) / scale for s in settings])
        by = {"phi": turned, "distance": moved, "balance": shared}
        phi, kd, balance = (
            own + sum(at[f"{a}_by_{b}"] * by[b] for b in KNOBS if b != a)
            for a, own in (
                ("phi", np.array([s.phi for s in settings])),
                ("distance", k * np.array([s.distance for s in settings])),
                ("balance", np.array([s.balance for s in settings]) / scale),
            )
        )
        half = np.array([0.5 * s.total for s in settings])
        share = np.clip(scale * balance, -0.99, 0.99)
        columns = (phi, kd / k, half * (1.0 - share), half * (1.0 + share))
        return np.stack(np.broadcast_arrays(*columns), axis=-1)
