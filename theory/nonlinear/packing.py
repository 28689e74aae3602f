"""A trap array as plain arrays that compiled kernels read."""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...models.array import TrapArray
from ...models.constants import EPSILON_0
from ...models.errors import InputError

__all__ = ["Beams", "Particles", "Work", "make_work", "pack_beams", "pack_particles"]

_Array = NDArray[np.float64]


class Beams(NamedTuple):
    """Gaussian beams; t of them in g groups of one optical frequency.

    centre (t, 3): foci, m; scale (t, 2): 1/w, 1/m; rate (t, 2): 1/z_R, 1/m; sign (t,): direction;
    amplitude (t, 2): Jones vector times E at the focus at time 0, V/m; turn (t,): the phase
    advances at this rate, rad/s; group (t,): row of the field; k: 1/m; turning: any turn ≠ 0.
    """

    centre: _Array
    scale: _Array
    rate: _Array
    sign: _Array
    amplitude: NDArray[np.complex128]
    turn: _Array
    group: NDArray[np.int64]
    k: float
    turning: bool


class Particles(NamedTuple):
    """Spheres as dipoles and charges, n of them.

    mass (n,): kg; alpha (n,): C m²/V; gradient, scattering (n,): weights of Re and Im of E*·∂E in
    the one-body force; charge (n,): C/√(4πε0); binding, charged: whether there are such forces.
    """

    mass: _Array
    alpha: NDArray[np.complex128]
    gradient: _Array
    scattering: _Array
    charge: _Array
    binding: bool
    charged: bool


class Work(NamedTuple):
    """What a force kernel fills: amplitude (t, 2), value (g, n, 2), first (g, n, 3, 2), force."""

    amplitude: NDArray[np.complex128]
    value: NDArray[np.complex128]
    first: NDArray[np.complex128]
    force: _Array


def pack_beams(trap: TrapArray, detunings: tuple[float, ...] | None = None) -> Beams:
    """Beams of an array.

    Parameters
    ----------
    trap : TrapArray
        The array.
    detunings : tuple of float, optional
        Slow detuning of each beam, Hz, on top of its own: the phase advances by −2πν_jt.

    Raises
    ------
    InputError
        For a beam behind an objective, which the compiled field does not know.
    """
    beams = trap.tweezers
    for index, beam in enumerate(beams, start=1):
        if beam.objective is not None:
            raise InputError(
                f"tweezer {index} is focused by an objective, trajectories need Gaussian beams: "
                "replace(tweezer, objective=None) keeps its effective waists "
                f"{beam.waist_x:.4g} and {beam.waist_y:.4g} m"
            )
    frequencies = sorted({beam.detuning for beam in beams})
    waists = np.array([(beam.waist_x, beam.waist_y) for beam in beams])
    peaks = [beam.focus_amplitude * cmath.exp(1j * beam.phase) for beam in beams]
    turn = -2.0 * math.pi * np.array(detunings or (0.0,) * len(beams), dtype=np.float64)
    return Beams(
        centre=trap.foci,
        scale=1.0 / waists,
        rate=2.0 / (trap.k * waists**2),
        sign=np.array([float(beam.direction) for beam in beams]),
        amplitude=np.array(
            [peak * np.array(beam.polarization) for peak, beam in zip(peaks, beams, strict=True)],
            dtype=np.complex128,
        ),
        turn=turn,
        group=np.array([frequencies.index(beam.detuning) for beam in beams], dtype=np.int64),
        k=trap.k,
        turning=bool(turn.any()),
    )


def pack_particles(trap: TrapArray, *, binding: bool = True, scattering: bool = True) -> Particles:
    """Spheres of an array; the forces named can be left out."""
    alpha = trap.polarizabilities
    push = np.abs(alpha) ** 2 * trap.k**3 / (12.0 * math.pi * EPSILON_0)
    charges = np.array([sphere.charge for sphere in trap.spheres])
    return Particles(
        mass=trap.masses,
        alpha=alpha,
        gradient=0.5 * alpha.real,
        scattering=push if scattering else np.zeros_like(push),
        charge=charges / math.sqrt(4.0 * math.pi * EPSILON_0),
        binding=bool(binding and len(alpha) > 1),
        charged=bool(np.count_nonzero(charges) > 1),
    )


def make_work(beams: Beams, count: int) -> Work:
    """Scratch space for ``count`` particles."""
    groups = int(beams.group.max()) + 1
    return Work(
        beams.amplitude.copy(),
        np.zeros((groups, count, 2), dtype=np.complex128),
        np.zeros((groups, count, 3, 2), dtype=np.complex128),
        np.zeros((count, 3)),
    )
