"""The conditional state under continuous homodyne detection of the scattered light.

Lindblad operators L_m = Σ_i l_mi x_i, detected with efficiency η_m, give the record
dy = Cx dt + dW and the conditional covariance
V̇ = AV + VAᵀ + N − (VCᵀ + Γ)(VCᵀ + Γ)ᵀ,  C_mi = 2√η_m Re l_mi,  Γ_km = −√η_m Σ_i Ω_ki Im l_mi.
For L_m = Σ_j c_jm z_j with 2D = Σ_m c_mc_m† this is C_{m,zj} = 2√η Re c_jm, Γ_{pj,m} = √η Im c_jm.

The last term is that of d⟨x_k⟩ = √η⟨x_kL + L†x_k⟩_c dW, whose commutator part is Γ. V does not
depend on the record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import ConvergenceError, UnstableModelError
from ...models.linear import LinearModel
from ...models.ranges import require_range
from .evolution import Dynamics, as_model, start_state, time_grid
from .homodyne import HomodyneDetection
from .riccati import RiccatiMap, fixed_point, propagate_varying
from .states import TOLERANCE, require_physical

__all__ = ["conditional_evolution", "conditional_steady_state"]

Matrix = NDArray[np.float64]
Detection: TypeAlias = HomodyneDetection | Callable[[float], HomodyneDetection]


def conditional_evolution(
    dynamics: Dynamics | Callable[[float], Dynamics],
    detection: Detection,
    covariance: ArrayLike,
    times: ArrayLike,
    *,
    rtol: float = 1e-9,
) -> Matrix:
    """Conditional covariances at given times, each checked against the uncertainty relation.

    Parameters
    ----------
    dynamics : PairConstants, LinearModel, or callable of a time that returns one
        The unconditional dynamics.
    detection : HomodyneDetection, or callable of a time that returns one
        What is detected.
    covariance : array_like, shape (2n, 2n)
        V at the time 0.
    times : array_like, shape (t,)
        Ascending, s.
    rtol : float
        Accuracy if anything depends on time, see :func:`.evolution.evolve`; constant
        coefficients are propagated exactly.

    Returns
    -------
    ndarray, shape (t, 2n, 2n)
        V at each time, quanta².

    Raises
    ------
    InputError
        For shapes or times that do not fit, or noise smaller than the detected back-action.
    QuantumStateError
        If a state breaks the uncertainty relation.
    ConvergenceError
        If the light is too rough in time for the accuracy asked.

    References
    ----------
    H. M. Wiseman, PRA 49, 2133 (1994).

    Examples
    --------
    What the record teaches purifies a thermal state.

    >>> import optobind as ob
    >>> pair = ob.theory.free_space_pair(omega=3e5, kd=5.0, phi=0.3, D=2e3)
    >>> seen, hot = ob.theory.joint_detection(pair, 0.5), ob.theory.thermal_state(5.0, 5.0)
    >>> states = ob.theory.conditional_evolution(pair, seen, hot, [0.0, 1e-4, 1e-3])
    >>> bool((ob.theory.purity(states)[1:] > ob.theory.purity(states)[:-1]).all())
    True
    """
    rtol = require_range("rtol", rtol, 1e-13, 1e-4)
    grid = time_grid(times)

    def generator_at(time: float) -> Matrix:
        model = as_model(dynamics(time) if callable(dynamics) else dynamics)
        return (detection(time) if callable(detection) else detection).generator(model)

    start = start_state(covariance, as_model(dynamics(0.0) if callable(dynamics) else dynamics))
    if callable(dynamics) or callable(detection):
        moments = propagate_varying(generator_at, start, grid, rtol=rtol)
        return require_physical(moments, tolerance=max(TOLERANCE, 10.0 * rtol))
    generator, moments = generator_at(0.0), np.empty((len(grid), *start.shape))
    maps: dict[float, RiccatiMap] = {}
    for index, time in enumerate(map(float, grid)):
        if time not in maps:
            maps[time] = RiccatiMap.over(generator, time)
        moments[index] = maps[time](start)
    return require_physical(moments)


def conditional_steady_state(dynamics: Dynamics, detection: HomodyneDetection) -> Matrix:
    """Stationary conditional covariance, shape (2n, 2n).

    An unstable pair has one as well if what grows is observed.

    Parameters
    ----------
    dynamics : PairConstants or LinearModel
        The unconditional dynamics.
    detection : HomodyneDetection
        What is detected.

    Returns
    -------
    ndarray, shape (2n, 2n)
        V, quanta².

    Raises
    ------
    UnstableModelError
        If a mode neither decays nor leaves a trace in the record.
    ConvergenceError
        If it is observed too weakly for double precision.

    Examples
    --------
    An efficiency η leaves each particle with the purity √η (weak recoil, no coupling).

    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e5, 0.0, 0.0, 0.0, 2e2, 2e2, 0.0)
    >>> state = ob.theory.conditional_steady_state(pair, ob.theory.local_detection(pair, 0.64))
    >>> round(float(ob.theory.purity(state[:2, :2])), 3)
    0.8
    """
    model = as_model(dynamics)
    rate = float(np.abs(model.drift).max()) or 1.0
    generator = detection.generator(model) / rate
    if not detection.output.any():
        return require_physical(model.steady_state())
    _require_detectable(model, detection, rate)
    # Doubling keeps its digits where an ordered Schur form of the generator (scipy's
    # solve_continuous_are, its check in the tests) loses them: weakly observed, undamped motion.
    solution, n = fixed_point(generator), model.states
    flow = generator[:n, :n] @ solution
    residual = flow + flow.T + generator[:n, n:] - solution @ generator[n:, :n] @ solution
    if np.abs(residual).max() > 1e-9 * np.abs(solution).max():
        raise ConvergenceError("the Riccati equation is not solved to nine digits")
    return require_physical(solution)


def _require_detectable(model: LinearModel, detection: HomodyneDetection, rate: float) -> None:
    """Every eigenvector that does not decay must show in the record (Popov, Belevitch, Hautus)."""
    output = detection.output / np.sqrt(rate)
    scaled = model.drift / rate
    for value in np.linalg.eigvals(scaled):
        if value.real < -1e-13:
            continue
        test = np.vstack([scaled - value * np.eye(model.states), output])
        if np.linalg.svd(test, compute_uv=False)[-1] < 1e-12:
            raise UnstableModelError(
                float(value.real * rate), "a mode that does not decay is not observed"
            )
