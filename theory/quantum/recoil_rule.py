"""Detection as a reduction of recoil, D′ = D(1 − η): what the rule forbids and what it cannot say.

Detecting each particle's own light is a local operation. If what is not detected,
D′_jj = (1 − η_j)D_jj and the gas, with all of D_12, still admits a LOCC description, so does the
conditional dynamics: no entanglement at D′_11D′_22 ≥ g_r² + (Re D_12)², whatever the homodyne
angles (the Letter's D′ ≥ |g_r| where binding is purely reciprocal). The converse holds only for the
first instant: on a pure product state detection subtracts exactly 2ηD_jj from what the partial
transpose sees. Later the state is mixed and the rotation averages the coupling, so that a steady
state can be separable far below the threshold. Whether it is entangled is what the Riccati equation
answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...models.pair import PairConstants
from .conditional import conditional_steady_state
from .entanglement import log_negativity, occupation, purity
from .homodyne import local_detection, per_channel
from .separability import separability

__all__ = ["RecoilRule", "efficiency_needed", "recoil_rule"]


@dataclass(frozen=True)
class RecoilRule:
    """The rule D′ = D(1 − η) beside the conditional state.

    Attributes
    ----------
    effective : tuple of float
        (D′_11, D′_22) with the heating by gas, which nobody detects, 1/s.
    coupling : float
        √(g_r² + (Re D_12)²), 1/s.
    forbids : bool
        Whether √(D′_11D′_22) ≥ coupling: no entanglement from product inputs, ever. False says
        only that the rule does not forbid it.
    log_negativity : float
        E_N of the steady conditional state by the Riccati equation, ebits.
    purity : float
        Its purity.
    occupations : tuple of float
        n_1, n_2 of the conditional state about its mean.
    """

    effective: tuple[float, float]
    coupling: float
    forbids: bool
    log_negativity: float
    purity: float
    occupations: tuple[float, float]

    @property
    def entangled(self) -> bool:
        """Whether the steady conditional state is entangled."""
        return self.log_negativity > 0.0


def recoil_rule(pair: PairConstants, efficiency: ArrayLike, angles: ArrayLike = 0.0) -> RecoilRule:
    """Evaluate the rule and the steady conditional state for detection of each particle.

    Parameters
    ----------
    pair : PairConstants
        The pair, gas included as unobserved noise.
    efficiency : float or (η_1, η_2)
        0 … 1, with (1−η_1)(1−η_2)D_11D_22 ≥ |D_12|²; see
        :func:`.homodyne.local_detection`. Joint detection of interfering light is not a
        local operation and has no such rule: use :func:`.homodyne.joint_detection`.
    angles : float or (θ_1, θ_2)
        Homodyne angles, rad.

    Returns
    -------
    RecoilRule
        What the rule forbids, and E_N, purity and occupations of the conditional state.

    Raises
    ------
    InputError
        If the light that carries D_12 would have to be detected.
    UnstableModelError
        If there is no steady state.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024).

    Examples
    --------
    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=2.0 * math.pi, phi=0.0, D=2e3)
    >>> rule = ob.theory.recoil_rule(pair, 0.5)
    >>> [round(rate) for rate in rule.effective], rule.forbids, rule.entangled
    ([1000, 1000], True, False)
    """
    detection = local_detection(pair, efficiency, angles)
    eta = per_channel("efficiency", efficiency, 2, 0.0, 1.0)
    total = pair.total_diffusion
    first, second = total[0] - eta[0] * pair.D11, total[1] - eta[1] * pair.D22
    state = conditional_steady_state(pair, detection)
    coupling = separability(pair).coupling
    n = occupation(state)
    return RecoilRule(
        effective=(float(first), float(second)),
        coupling=coupling,
        forbids=bool(np.sqrt(first * second) >= coupling * (1.0 - 1e-12)),
        log_negativity=float(log_negativity(state)),
        purity=float(purity(state)),
        occupations=(float(n[0]), float(n[1])),
    )


def efficiency_needed(pair: PairConstants) -> float | None:
    """Efficiency above which D′ = D(1 − η) no longer forbids entanglement; necessary, no more.

    None where independent detection cannot have it, (1−η)²D_11D_22 ≥ |D_12|² being its limit: at
    |g_a| ≥ |g_r|, or against enough gas.

    Parameters
    ----------
    pair : PairConstants
        The pair, gas included as unobserved noise.

    Returns
    -------
    float or None
        η, 0 … 1.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024).

    Examples
    --------
    For reciprocal binding it is 1 − |g_r|/D up to the small correlation of the recoil.

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=2.0 * math.pi, phi=0.0, D=2e3)
    >>> round(ob.theory.efficiency_needed(pair), 2) == round(1.0 - abs(pair.g_r) / pair.D11, 2)
    True
    """
    found = separability(pair)
    return 1.0 - found.recoil_needed if found.removable or not found.separable else None
