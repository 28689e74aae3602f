"""Where dipoles in paraxial beams with single scattering stop being a good description."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from .constants import BOLTZMANN, EPSILON_0
from .sphere import Sphere
from .tweezer import Tweezer

__all__ = ["model_doubts"]

_LEAST_FACTOR = 0.8  # A of the tightest beam that the paraxial theory describes to some 10 %
_LEAST_DEPTH = 10.0  # in kT: shallower traps lose the particle within minutes
_MOST_RESCATTERED = 0.05  # field of a neighbour over its own, to which multiple scattering is small


def model_doubts(
    spheres: Sequence[Sphere], tweezers: Sequence[Tweezer], k: float, temperature: float
) -> tuple[str, ...]:
    """Sentences for the user; empty when nothing is doubtful.

    Parameters
    ----------
    spheres, tweezers : sequences of equal length
        The array.
    k : float
        Wave number, 1/m.
    temperature : float
        Temperature of the surroundings, K.
    """
    sentences = []
    for index, (sphere, tweezer) in enumerate(zip(spheres, tweezers, strict=True), start=1):
        _, doubt = sphere.dipole_doubt(k)
        if doubt:
            sentences.append(f"particle {index}: {doubt}")
        factor = tweezer.propagation_factor(k)
        if tweezer.objective is None and factor < _LEAST_FACTOR:
            sentences.append(f"tweezer {index}: A = {factor:.2f}, the paraxial beam is doubtful")
        depth = 0.25 * sphere.polarizability * tweezer.focus_amplitude**2
        ratio = depth / (BOLTZMANN * temperature)
        if ratio < _LEAST_DEPTH:
            sentences.append(
                f"particle {index}: the trap is {ratio:.2g} kT deep, it will not hold without "
                "feedback"
            )
    frequencies = len({tweezer.detuning for tweezer in tweezers})
    if frequencies > 1:
        sentences.append(
            f"the tweezers have {frequencies} optical frequencies: where they differ φ turns, and "
            "the couplings are what is left after averaging"
        )
    return (*sentences, *_rescattering(spheres, tweezers, k))


def _rescattering(spheres: Sequence[Sphere], tweezers: Sequence[Tweezer], k: float) -> list[str]:
    """Pairs so close that light scattered twice matters."""
    sentences = []
    for first, second in itertools.combinations(range(len(spheres)), 2):
        distance = math.dist(tweezers[first].position, tweezers[second].position)
        strongest = max(spheres[first].polarizability, spheres[second].polarizability)
        near = abs(1.0 + (1.0 / (k * distance)) ** 2)
        share = strongest * k**2 * near / (4.0 * math.pi * EPSILON_0 * distance)
        if share > _MOST_RESCATTERED:
            sentences.append(
                f"particles {first + 1} and {second + 1}: a neighbour's light is "
                f"{100.0 * share:.0f} % of the trap's, multiple scattering is neglected"
            )
    return sentences
