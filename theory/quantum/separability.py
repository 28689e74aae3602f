"""When Eq. (7) can and cannot entangle: the no-entanglement criterion and its sufficient forms.

Transposing particle 2 (p_2 → −p_2) turns Eq. (7) into an equation of the same form with g_r and
g_a exchanged and the sign of Re D_12 reversed; local frequencies and gas stay local. If the new
equation is completely positive too, D_11D_22 ≥ g_r² + (Re D_12)², the partial transpose of a
separable state obeys the uncertainty relation for ever, and two Gaussian modes with that are
separable. If it is not, the vector that breaks it can be reached from every pure product state, and
entanglement sets in at once, though it need not survive a mechanical period. The condition
involves no frequency, so it holds for every δω and every φ(t).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...models.errors import InputError
from ...models.pair import PairConstants
from .evolution import time_grid

__all__ = [
    "Separability",
    "locc_sufficient",
    "remains_separable",
    "separability",
]

# A D on the boundary to rounding counts as separable.
_SLACK = 1e-12


@dataclass(frozen=True)
class Separability:
    """The no-entanglement criterion of one set of constants.

    Attributes
    ----------
    recoil : float
        √(D_11D_22), 1/s.
    coupling : float
        √(g_r² + (Re D_12)²), the recoil below which product states become entangled, 1/s.
    locc_bound : float
        |Re D_12| + max(|g_r|, |g_a|), the simpler sufficient form, 1/s.
    """

    recoil: float
    coupling: float
    locc_bound: float

    @property
    def margin(self) -> float:
        """√(D_11D_22)/√(g_r² + (Re D_12)²); at least 1 if no entanglement can arise."""
        return self.recoil / self.coupling if self.coupling > 0.0 else math.inf

    @property
    def separable(self) -> bool:
        """Whether no Gaussian product input ever becomes entangled."""
        return self.recoil >= self.coupling * (1.0 - _SLACK)

    @property
    def recoil_reduction_needed(self) -> float:
        """Factor by which the recoil of both particles must fall before entanglement can arise.

        1 if it can already. With detection it is 1 − η, with squeezed light D′/D: see
        :mod:`.recoil_rule` and :mod:`.squeezed_light`.
        """
        return min(1.0, 1.0 / self.margin)


def separability(pair: PairConstants) -> Separability:
    """Evaluate D_11D_22 ≥ g_r² + (Re D_12)² for a pair; D is the recoil without the gas."""
    return Separability(
        recoil=math.sqrt(pair.D11 * pair.D22),
        coupling=math.hypot(pair.g_r, pair.re_D12),
        locc_bound=abs(pair.re_D12) + max(abs(pair.g_r), abs(pair.g_a)),
    )


def locc_sufficient(pair: PairConstants) -> bool:
    """Whether D_jj ≥ |Re D_12| + max(|g_r|, |g_a|): sufficient, and the same for both particles.

    The sharp construction with measured records is :func:`.locc.locc_channel`.
    """
    return min(pair.D11, pair.D22) >= separability(pair).locc_bound


def remains_separable(pair_at: Callable[[float], PairConstants], times: ArrayLike) -> bool:
    """Whether the criterion holds at every given time of a pair with changing φ(t) or power.

    Parameters
    ----------
    pair_at : callable
        Constants at a time in s.
    times : array_like
        Where to look, s; sample φ(t) finely, or give the φ of largest |cos φ|.

    Raises
    ------
    InputError
        If there is no time, or times are not ascending.
    """
    grid = time_grid(times)
    if not len(grid):
        raise InputError("at least 1 time is needed, got none")
    return bool(np.all([separability(pair_at(float(time))).separable for time in grid]))
