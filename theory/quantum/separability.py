"""When Eq. (7) can and cannot entangle: the no-entanglement criterion and its sufficient forms.

Transposing particle 2 (p_2 → −p_2) turns Eq. (7) into an equation of the same form with g_r and
g_a exchanged and the sign of Re D_12 reversed; local frequencies and gas stay local. If the new
equation is completely positive too, D_11D_22 ≥ g_r² + (Re D_12)², the partial transpose of a
separable state obeys the uncertainty relation for ever, and two Gaussian modes with that are
separable. If it is not, the vector that breaks it can be reached from every pure product state, and
entanglement sets in at once, though it need not survive a mechanical period. The condition
involves no frequency, so it holds for every δω and every φ(t).

Gas heats like recoil, locally: every D_jj stands for D_jj + γ_j(n̄_j + ½) (γ ≪ ω, n̄ ≫ 1). Detection
and squeezed light reduce the recoil only, and not below D′_11D′_22 = |D_12|², the light in which
both particles interfere. Hence neither lifts the no-go at |g_a| ≥ |g_r|, nor against enough gas.
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
    """The no-entanglement criterion of one set of constants, and what would lift it.

    Attributes
    ----------
    recoil : float
        √(D_11D_22), the light's part of the heating, 1/s.
    heating : float
        The same of recoil and gas together, 1/s.
    coupling : float
        √(g_r² + (Re D_12)²), the heating below which product states become entangled, 1/s.
    locc_bound : float
        |Re D_12| + max(|g_r|, |g_a|), the simpler sufficient form, 1/s.
    recoil_needed : float
        Share of the recoil below which entanglement can arise: 1 if it can already, 0 if the gas
        alone forbids it.
    recoil_least : float
        Share of the recoil that no independent detection and no squeezed light takes away,
        |D_12|/√(D_11D_22).
    """

    recoil: float
    heating: float
    coupling: float
    locc_bound: float
    recoil_needed: float
    recoil_least: float

    @property
    def margin(self) -> float:
        """Heating over √(g_r² + (Re D_12)²); at least 1 if no entanglement can arise."""
        return self.heating / self.coupling if self.coupling > 0.0 else math.inf

    @property
    def separable(self) -> bool:
        """Whether no Gaussian product input ever becomes entangled."""
        return self.heating >= self.coupling * (1.0 - _SLACK)

    @property
    def removable(self) -> bool:
        """Whether detection of each particle's light, or squeezed light, can lift the criterion.

        With detection the share left of the recoil is 1 − η, with squeezed light D′/D: see
        :mod:`.recoil_rule` and :mod:`.squeezed_light`.
        """
        return self.recoil_needed > self.recoil_least * (1.0 + _SLACK)


def separability(pair: PairConstants) -> Separability:
    """Evaluate D_11D_22 ≥ g_r² + (Re D_12)² for a pair, gas included in the D's.

    Parameters
    ----------
    pair : PairConstants
        Eq. (7), with a φ(t) the constants of one instant.

    Returns
    -------
    Separability
        The rates compared, 1/s, and what would lift the criterion.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (7); R. Simon, PRL 84, 2726 (2000).

    Examples
    --------
    In free space, beyond kd ≈ 1.4, binding never entangles product states.

    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3)
    >>> found = ob.theory.separability(pair)
    >>> found.separable, found.margin > 1.0
    (True, True)
    """
    first, second = pair.total_diffusion
    recoil, coupling = math.sqrt(pair.D11 * pair.D22), math.hypot(pair.g_r, pair.re_D12)
    interference = math.hypot(pair.g_a, pair.re_D12)
    return Separability(
        recoil=recoil,
        heating=math.sqrt(first * second),
        coupling=coupling,
        locc_bound=abs(pair.re_D12) + max(abs(pair.g_r), abs(pair.g_a)),
        recoil_needed=_recoil_needed(pair, coupling),
        recoil_least=min(1.0, interference / recoil) if recoil > 0.0 else 0.0,
    )


def _recoil_needed(pair: PairConstants, coupling: float) -> float:
    """Share x at which (xD_11 + gas_1)(xD_22 + gas_2) is the coupling squared, 0 … 1."""
    first, second = (
        total - recoil
        for total, recoil in zip(pair.total_diffusion, (pair.D11, pair.D22), strict=True)
    )
    square, slope = pair.D11 * pair.D22, pair.D11 * second + pair.D22 * first
    missing = coupling**2 - first * second
    if missing <= 0.0:
        return 0.0
    divisor = slope + math.sqrt(slope**2 + 4.0 * square * missing)
    return min(1.0, 2.0 * missing / divisor) if divisor > 0.0 else 1.0


def locc_sufficient(pair: PairConstants) -> bool:
    """Whether D_jj ≥ |Re D_12| + max(|g_r|, |g_a|), gas included: sufficient for both particles.

    The sharp construction with measured records is :func:`.locc.locc_channel`.

    Parameters
    ----------
    pair : PairConstants
        Eq. (7), with a φ(t) the constants of one instant.

    Returns
    -------
    bool
        True rules entanglement out; False decides nothing.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024).

    Examples
    --------
    >>> import optobind as ob
    >>> ob.theory.locc_sufficient(ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3))
    True
    """
    return min(pair.total_diffusion) >= separability(pair).locc_bound


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
