"""What a tracker follows: a linear model per sample, from a model or from the result of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...linear import LinearModel
from ..exact.model import FilterModel
from ..exact.statespace import Continuous, StateSpace, discretised
from ..matrices import NAMES
from ..result import FitResult

__all__ = ["Dynamics", "fitted_dynamics", "model_dynamics"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Dynamics:
    """A linear model per sample.

    Attributes
    ----------
    model : LinearModel
        In continuous time; its output holds cross-talk and delays.
    space : StateSpace
        One step. Derivatives are those by the parameters of a fit, of a model none (P = 1, all 0).
    sample_rate : float
        Hz.
    covariance : ndarray, shape (P, P)
        Of these parameters, 0 for what was fixed.
    """

    model: LinearModel
    space: StateSpace
    sample_rate: float
    covariance: _Array

    @property
    def particles(self) -> int:
        """Number of particles: half that of the states (z_1, p_1, z_2, p_2, …)."""
        return self.model.states // 2


def model_dynamics(
    model: LinearModel, sample_rate: float, *, diffuse: float, delays: Sequence[float] = ()
) -> Dynamics:
    """Take a linear model to the samples.

    Parameters
    ----------
    model : LinearModel
        States (z_1, p_1, z_2, p_2, …).
    sample_rate : float
        Hz.
    diffuse : float
        Variance of each state at the first sample where the model has no stationary one, unit².
    delays : sequence of float
        By how much each channel looks later than the sample's time, s; 0 by default.

    Raises
    ------
    InputError
        For an odd number of states or a channel without imprecision.
    """
    n, c = model.states, model.channels
    if n % 2:
        raise InputError(f"a tracker needs states (z_1, p_1, z_2, p_2, …), the model has {n}")
    if not np.linalg.eigvalsh(model.imprecision).min() > 0.0:
        raise InputError(
            "a tracker needs the imprecision of every channel, one-sided in unit²/Hz, greater "
            "than 0: LinearModel(…, imprecision=…)"
        )
    lead = np.asarray(delays if len(delays) else np.zeros(c), dtype=np.float64)
    none = np.zeros((1, n, n))
    continuous = Continuous(
        model.drift, model.noise, model.output, model.imprecision, None, none, none,
        np.zeros((1, c, n)), np.zeros((1, c, c)), None, lead, np.zeros((1, c)),
    )  # fmt: skip
    space = discretised(continuous, sample_rate, diffuse)
    seen = replace(model, output=space.output)
    return Dynamics(seen, space, sample_rate, np.zeros((1, 1)))


def fitted_dynamics(
    result: FitResult, sample_rate: float, *, diffuse: float, delays: Sequence[float] = ()
) -> Dynamics:
    """Take the result of a fit to the samples.

    Parameters
    ----------
    result : FitResult
        A "single", "pair" or "reheating" fit; what an exact fit says of the detection is part
        of it. A reheating fit begins with its V(0), others in the stationary state.
    sample_rate : float
        Hz.
    diffuse : float
        As of :func:`model_dynamics`.
    delays : sequence of float
        As there; a delay of the fit itself comes before.

    Raises
    ------
    InputError
        If the parameters make no model.
    """
    model = _filter_model(result)
    values = np.array([result.value(name) for name in model.names])
    continuous = model.continuous(values)
    if continuous is None:
        raise InputError(f"the parameters of this {result.model} fit make no model")
    if len(delays) and "delay_12" not in model.names:
        continuous = replace(continuous, lead=np.asarray(delays, dtype=np.float64))
    space = discretised(continuous, sample_rate, diffuse)
    unit = str(result.input.get("unit", "quanta"))
    seen = LinearModel(
        continuous.drift, continuous.noise, space.output, continuous.imprecision, unit
    )
    return Dynamics(seen, space, sample_rate, _covariance(result, model.names))


def _filter_model(result: FitResult) -> FilterModel:
    """The parameters of a fit as those of a filter."""
    known = result.parameters
    unit = result.input.get("unit", "quanta")
    ratio = float(result.input.get("mass_ratio", 1.0)) if unit == "m" else 1.0
    return FilterModel(
        "single" if "omega" in known else "pair",
        "n_0" in known or "n1_0" in known,
        tuple(name for name in NAMES["detection"] if name in known),
        0.5 if unit == "quanta" else 0.0,
        ratio,
    )


def _covariance(result: FitResult, names: Sequence[str]) -> _Array:
    """Covariance in the order of names, 0 for what was not fitted."""
    covariance = np.zeros((len(names), len(names)))
    own = [name for name in result.varying if name in names]
    at, source = [names.index(n) for n in own], [result.varying.index(n) for n in own]
    covariance[np.ix_(at, at)] = result.covariance[np.ix_(source, source)]
    return covariance
