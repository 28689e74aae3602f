"""Gaussian priors of parameters: what they add to a likelihood, its score and information."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

__all__ = ["Priors", "checked_priors"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Priors:
    """−½ Σ (θ − c)²/σ² over some of the parameters of a likelihood.

    Attributes
    ----------
    names : sequence of str
        All P parameters of the likelihood.
    known : mapping
        Name to (c, σ) of those with a prior.
    """

    names: Sequence[str]
    known: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def weight(self) -> _Array:
        """1/σ² of every parameter, 0 without a prior, shape (P,)."""
        weight = np.zeros(len(self.names))
        for name, (_, error) in self.known.items():
            weight[self.names.index(name)] = error**-2
        return weight

    def at(self, values: _Array) -> tuple[float, _Array]:
        """Logarithm of the priors at values (P,), and its derivatives (P,)."""
        total, slope = 0.0, np.zeros(len(values))
        for name, (centre, error) in self.known.items():
            place = self.names.index(name)
            distance = (centre - values[place]) / error
            total -= 0.5 * distance**2
            slope[place] = distance / error
        return total, slope


def checked_priors(
    priors: Mapping[str, tuple[float, float]] | None, names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """The priors of a fit, as they were given.

    Raises
    ------
    InputError
        For a name that is not of the model, a value that is not finite, an error that is none.
    """
    given = dict(priors or {})
    for name, (value, error) in given.items():
        if name not in names or not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
            raise InputError(
                "a prior needs a name of the model, a finite value and a positive error, got "
                f"{name}: {value, error}"
            )
    return given
