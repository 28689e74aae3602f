"""Optical tweezers as astigmatic paraxial Gaussian beams, and the total field of several.

A tweezer may instead be focused by an aplanatic objective (:mod:`.objective`).

Light propagates along +z with the time factor exp(−iω_L t), so a plane wave is exp(+ikz) and the
paraxial envelope obeys ∂_zψ = (i/2k)(∂_x² + ∂_y²)ψ. Its Gaussian solution, with q = 1 + iz/z_R and
z_R = kw²/2 on each axis, is ψ = (q_x q_y)^(−1/2) exp[−x²/(w_x²q_x) − y²/(w_y²q_y)]: behind the
focus the Gouy phase is negative and the wave fronts open towards +z.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .constants import EPSILON_0, SPEED_OF_LIGHT
from .errors import InputError
from .objective import AplanaticObjective
from .ranges import require_range
from .reprs import short_repr

__all__ = ["LocalField", "Tweezer", "gaussian_sum", "total_field"]


def _jones(polarization: Sequence[complex]) -> tuple[complex, complex]:
    """Normalise a Jones vector of two entries, or of three with z = 0."""
    try:
        entries = [complex(value) for value in polarization]
    except (TypeError, ValueError):
        raise InputError(f"polarization must be a Jones vector, got {polarization!r}") from None
    if len(entries) not in (2, 3) or not all(map(cmath.isfinite, entries)):
        raise InputError(f"polarization needs 2 finite entries (x, y), got {polarization!r}")
    if len(entries) == 3 and entries[2] != 0.0:
        raise InputError(f"polarization must lie in the x–y plane, its z entry is {entries[2]!r}")
    norm = math.hypot(abs(entries[0]), abs(entries[1]))
    if norm == 0.0:
        raise InputError("polarization must not be zero")
    return entries[0] / norm, entries[1] / norm


@dataclass(frozen=True)
class Tweezer:
    """One focused beam.

    Attributes
    ----------
    position : tuple of float
        Focus (x, y, z), m.
    power : float
        Power through the focus, W; 0 … 100.
    waist_x, waist_y : float
        1/e² intensity radii at the focus, m; 50 nm … 1 mm.
    phase : float
        arg E at the focus, rad.
    polarization : tuple of complex
        Jones vector (x, y), normalised on construction; a third entry must be zero.
    detuning : float
        Optical frequency relative to the common one, Hz.
    direction : int
        +1 for light along +z, −1 for light along −z.
    objective : AplanaticObjective or None
        Takes the place of the Gaussian beam; the waists are then only the size of the trap, see
        :meth:`focused`.

    Raises
    ------
    InputError
        For a value outside its range.

    Examples
    --------
    >>> import optobind as ob
    >>> beam = ob.Tweezer((0.0, 0.0, 0.0), power=0.3, waist_x=0.7e-6, waist_y=0.75e-6, phase=0.4)
    >>> beam.direction
    1
    """

    position: tuple[float, float, float]
    power: float
    waist_x: float
    waist_y: float
    phase: float = 0.0
    polarization: tuple[complex, ...] = (0.0, 1.0)
    detuning: float = 0.0
    direction: int = 1
    objective: AplanaticObjective | None = None

    def __post_init__(self) -> None:
        if len(self.position) != 3:
            raise InputError(f"position needs three entries (x, y, z) in m, got {self.position!r}")
        place = tuple(require_range("position", value, -1.0, 1.0, "m") for value in self.position)
        object.__setattr__(self, "position", place)
        require_range("power", self.power, 0.0, 100.0, "W")
        require_range("waist_x", self.waist_x, 5e-8, 1e-3, "m")
        require_range("waist_y", self.waist_y, 5e-8, 1e-3, "m")
        require_range("phase", self.phase, -1e9, 1e9, "rad")
        require_range("detuning", self.detuning, -1e12, 1e12, "Hz")
        if self.direction not in (1, -1):
            raise InputError(f"direction must be 1 or -1, got {self.direction!r}")
        object.__setattr__(self, "polarization", _jones(self.polarization))

    @classmethod
    def focused(
        cls,
        objective: AplanaticObjective,
        position: tuple[float, float, float],
        power: float,
        wavelength: float,
        *,
        phase: float = 0.0,
        polarization: tuple[complex, ...] = (0.0, 1.0),
        detuning: float = 0.0,
        direction: int = 1,
    ) -> Tweezer:
        """Focus light by an aplanatic objective; the waists are the effective ones of its focus.

        Parameters
        ----------
        objective : AplanaticObjective
            The objective.
        position, power, phase, polarization, detuning, direction
            As for :class:`Tweezer`.
        wavelength : float
            m; only the effective waists depend on it.
        """
        require_range("wavelength", wavelength, 2e-7, 2e-5, "m")
        waists = objective.effective_waists(_jones(polarization), wavelength)
        return cls(position, power, *waists, phase, polarization, detuning, direction, objective)

    @property
    def focus_amplitude(self) -> float:
        """|E| at the focus of the Gaussian beam, √(4P/(πε0c w_x w_y)), V/m."""
        area = math.pi * self.waist_x * self.waist_y
        return math.sqrt(4.0 * self.power / (EPSILON_0 * SPEED_OF_LIGHT * area))

    def rayleigh_ranges(self, k: float) -> tuple[float, float]:
        """(z_Rx, z_Ry) = kw²/2, m, at wave number k (1/m)."""
        return 0.5 * k * self.waist_x**2, 0.5 * k * self.waist_y**2

    def propagation_factor(self, k: float) -> float:
        """Factor A = ∂_z arg E/k at the focus, 1 − (1/z_Rx + 1/z_Ry)/(2k), for k in 1/m."""
        if self.objective is not None:
            return self.objective.propagation_factor
        first, second = self.rayleigh_ranges(k)
        return 1.0 - (1.0 / first + 1.0 / second) / (2.0 * k)

    def check_waists(self, k: float) -> None:
        """Raise :class:`InputError` for a waist below λ/4, which no objective can make."""
        least = 0.5 * math.pi / k
        for name, waist in (("waist_x", self.waist_x), ("waist_y", self.waist_y)):
            if waist < least:
                raise InputError(
                    f"{name} must be at least a quarter wavelength, {least:.4g} m, got {waist:g} m"
                )


@dataclass(frozen=True)
class LocalField:
    """Field amplitude and its derivatives at n points, for each of g optical frequencies.

    Settings of the light that are evaluated together stand between g and n.

    Attributes
    ----------
    value : ndarray, shape (g, ..., n, 3)
        E_i, V/m.
    first : ndarray, shape (g, ..., n, 3, 3)
        ∂_a E_i, V/m².
    second : ndarray, shape (g, ..., n, 3, 3, 3)
        ∂_a ∂_b E_i, V/m³.
    """

    value: NDArray[np.complex128]
    first: NDArray[np.complex128]
    second: NDArray[np.complex128]

    __repr__ = short_repr

    @property
    def intensity(self) -> NDArray[np.float64]:
        """|E|² summed over frequencies, shape (..., n), V²/m²."""
        return np.asarray((np.abs(self.value) ** 2).sum(axis=(0, -1)))


def _log_derivatives(
    offset: NDArray[np.float64], waists: NDArray[np.float64], k: float, sign: NDArray[np.float64]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.complex128]]:
    """u, ∂_a ln u and ∂_a∂_b ln u of unit Gaussian beams at offsets (..., n, t, 3)."""
    rate = 2j / (k * waists**2)  # dq/dz = i/z_R on both axes, (t, 2)
    along = sign * offset[..., 2]
    q = 1.0 + rate * along[..., None]
    scaled = offset[..., :2] / waists
    exponent = -(scaled**2 / q).sum(axis=-1) + 1j * k * along
    u = np.exp(exponent) / (np.sqrt(q[..., 0]) * np.sqrt(q[..., 1]))
    gradient = np.empty((*offset.shape,), dtype=np.complex128)
    gradient[..., :2] = -2.0 * scaled / (waists * q)
    gradient[..., 2] = sign * (1j * k + (rate / q * (scaled**2 / q - 0.5)).sum(axis=-1))
    hessian = np.zeros((*offset.shape, 3), dtype=np.complex128)
    for axis in range(2):
        hessian[..., axis, axis] = -2.0 / (waists[:, axis] ** 2 * q[..., axis])
        mixed = 2.0 * scaled[..., axis] * rate[:, axis] / (waists[:, axis] * q[..., axis] ** 2)
        hessian[..., axis, 2] = hessian[..., 2, axis] = sign * mixed
    hessian[..., 2, 2] = ((rate / q) ** 2 * (0.5 - 2.0 * scaled**2 / q)).sum(axis=-1)
    return u, gradient, hessian


def total_field(
    tweezers: Sequence[Tweezer], positions: NDArray[np.float64], k: float
) -> LocalField:
    """Sum the beams of each optical frequency, with analytic first and second derivatives.

    Parameters
    ----------
    tweezers : sequence of Tweezer
        The beams; equal detunings add coherently, different ones are kept apart.
    positions : ndarray, shape (..., n, 3)
        Where to evaluate, m.
    k : float
        Wave number, 1/m.

    Returns
    -------
    LocalField
    """
    frequencies = sorted({beam.detuning for beam in tweezers})
    points = positions.reshape(-1, 3)
    value = np.zeros((len(frequencies), len(points), 3), dtype=np.complex128)
    first = np.zeros((*value.shape, 3), dtype=np.complex128)
    second = np.zeros((*first.shape, 3), dtype=np.complex128)
    for row, frequency in enumerate(frequencies):
        chosen = [beam for beam in tweezers if beam.detuning == frequency]
        gaussian = [beam for beam in chosen if beam.objective is None]
        parts = [_focused_field(beam, points, k) for beam in chosen if beam.objective]
        if gaussian:
            parts.append(_gaussian_field(gaussian, points, k))
        for part in parts:
            value[row] += part[0]
            first[row] += part[1]
            second[row] += part[2]
    places = (len(frequencies), *positions.shape)
    return LocalField(
        value.reshape(places), first.reshape(*places, 3), second.reshape(*places, 3, 3)
    )


def _gaussian_field(
    tweezers: Sequence[Tweezer], positions: NDArray[np.float64], k: float
) -> tuple[NDArray[np.complex128], ...]:
    """E, ∂E and ∂∂E of Gaussian beams of one frequency."""
    centres = np.array([beam.position for beam in tweezers])
    waists = np.array([(beam.waist_x, beam.waist_y) for beam in tweezers])
    sign = np.array([float(beam.direction) for beam in tweezers])
    amplitude = np.zeros((len(tweezers), 3), dtype=np.complex128)
    for index, beam in enumerate(tweezers):
        peak = beam.focus_amplitude * cmath.exp(1j * beam.phase)
        amplitude[index, :2] = peak * np.array(beam.polarization)
    return gaussian_sum(positions[:, None, :] - centres, waists, sign, amplitude, k)


def gaussian_sum(
    offset: NDArray[np.float64],
    waists: NDArray[np.float64],
    sign: NDArray[np.float64],
    amplitude: NDArray[np.complex128],
    k: float,
) -> tuple[NDArray[np.complex128], ...]:
    """E, ∂E and ∂∂E of t Gaussian beams at n points, in any number of settings at once.

    Parameters
    ----------
    offset : ndarray, shape (..., n, t, 3)
        From each focus to each point, m.
    waists : ndarray, shape (t, 2)
        m.
    sign : ndarray, shape (t,)
        Directions, ±1.
    amplitude : ndarray, shape (..., t, 3)
        E at the foci, V/m.
    k : float
        Wave number, 1/m.

    Returns
    -------
    value, first, second : ndarray
        Shapes (..., n, 3), (..., n, 3, 3) and (..., n, 3, 3, 3), derivatives first.
    """
    u, gradient, hessian = _log_derivatives(offset, waists, k, sign)
    slope = u[..., None] * gradient
    curve = u[..., None, None] * (hessian + gradient[..., :, None] * gradient[..., None, :])
    return (
        u @ amplitude,
        np.einsum("...nta,...ti->...nai", slope, amplitude),
        np.einsum("...ntab,...ti->...nabi", curve, amplitude),
    )


def _focused_field(
    beam: Tweezer, positions: NDArray[np.float64], k: float
) -> tuple[NDArray[np.complex128], ...]:
    """E, ∂E and ∂∂E of one beam behind an objective."""
    assert beam.objective is not None
    # Light along −z is the mirror image: z, ∂_z and E_z change sign together.
    mirror = np.array([1.0, 1.0, float(beam.direction)])
    offset = (positions - np.array(beam.position)) * mirror
    value, first, second = beam.objective.field(offset, k, beam.power, beam.polarization)
    turn = cmath.exp(1j * beam.phase) * mirror
    return (
        turn * value,
        turn * first * mirror[:, None],
        turn * second * mirror[:, None, None] * mirror[None, :, None],
    )
