"""Moments of a pair in time: constant or time-dependent light, every state checked.

V̇ = AV + VAᵀ + N with the A and N of Eq. (7). For constant light the propagation is exact (Van
Loan); for φ(t) see :func:`evolve`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.pair import PairConstants
from ...models.ranges import require_range
from .riccati import flow_generator, propagate_varying
from .states import TOLERANCE, require_physical

__all__ = ["Dynamics", "as_model", "evolve"]

#: What has an A and an N.
Dynamics: TypeAlias = PairConstants | LinearModel


def as_model(dynamics: Dynamics) -> LinearModel:
    """Return the linear model of pair constants, or the model itself.

    Raises
    ------
    InputError
        For anything else, or a model whose states are not pairs (z, p).
    """
    model = dynamics.to_linear() if isinstance(dynamics, PairConstants) else dynamics
    if not isinstance(model, LinearModel):
        raise InputError(
            f"dynamics must be PairConstants or a LinearModel, got {type(model).__name__}"
        )
    if model.states % 2:
        raise InputError(f"a model of quadratures has pairs (z, p), this one {model.states} states")
    return model


def start_state(covariance: ArrayLike, model: LinearModel) -> NDArray[np.float64]:
    """Return one physical covariance that fits the model."""
    start = require_physical(covariance)
    if start.shape != model.drift.shape:
        raise InputError(
            f"the covariance must have shape {model.drift.shape}, its shape is {start.shape}"
        )
    return start


def time_grid(times: ArrayLike) -> NDArray[np.float64]:
    """Times as a flat array, finite, at least 0 s and ascending."""
    grid = np.ravel(np.asarray(times, dtype=np.float64))
    if not (np.isfinite(grid).all() and (np.diff(grid, prepend=0.0) >= 0.0).all()):
        raise InputError("times must be finite, at least 0 s and ascending")
    return grid


def evolve(
    dynamics: Dynamics | Callable[[float], Dynamics],
    covariance: ArrayLike,
    times: ArrayLike,
    *,
    rtol: float = 1e-9,
) -> NDArray[np.float64]:
    """Covariances at given times, each checked against the uncertainty relation.

    Parameters
    ----------
    dynamics : PairConstants, LinearModel or callable of a time in s that returns one
        Constant light, propagated exactly, or light that changes: φ(t), powers.
    covariance : array_like, shape (2n, 2n)
        V at the time 0, quanta².
    times : array_like, shape (t,)
        Ascending, s. Features of φ(t) that are much shorter than both a period and the spacing
        of the times can be missed: add times there.
    rtol : float
        Accuracy of time-dependent propagation relative to √(V_iiV_jj); 1e-13 … 1e-4.

    Returns
    -------
    ndarray, shape (t, 2n, 2n)
        V at each time, quanta².

    Raises
    ------
    InputError
        For shapes or times that do not fit.
    QuantumStateError
        If a state breaks the uncertainty relation.
    ConvergenceError
        If φ(t) is too rough for the accuracy asked.

    References
    ----------
    C. F. Van Loan, IEEE Trans. Autom. Control 23, 395 (1978).

    Examples
    --------
    Recoil heats a particle without coupling by D quanta per second, Eq. (7).

    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e5, 0.0, 0.0, 0.0, 2e3, 2e3, 0.0)
    >>> states = ob.theory.evolve(pair, ob.theory.vacuum_state(), [0.0, 1e-3])
    >>> [round(float(n), 2) for n in ob.theory.occupation(states)[:, 0]]
    [0.0, 2.0]
    """
    rtol = require_range("rtol", rtol, 1e-13, 1e-4)
    grid = time_grid(times)
    if not callable(dynamics):
        model = as_model(dynamics)
        return require_physical(model.propagate(start_state(covariance, model), grid))
    start = start_state(covariance, as_model(dynamics(0.0)))

    def generator_at(time: float) -> NDArray[np.float64]:
        model = as_model(dynamics(time))
        return flow_generator(model.drift, model.noise)

    return require_physical(
        propagate_varying(generator_at, start, grid, rtol=rtol),
        tolerance=max(TOLERANCE, 10.0 * rtol),
    )
