"""Spectra of periodically driven models: what an analyser and a lock-in show.

A record of a driven model is cyclostationary: z(ν) correlates with z(ν + m/T). With the harmonics
A(t) = Σ A_m e^{2πimt/T}, N(t) likewise, the sidebands x_n = x(ν + n/T) obey Σ_m L_nm x_m = ξ_n with
L_nm = 2πi(ν + n/T)δ_nm − A_{n−m} and ⟨ξ_nξ_m†⟩ = N_{n−m}. The cyclic spectrum of order m is
S_m(ν) = ⟨z(ν)z†(ν + m/T)⟩; an averaging analyser shows S_0, and for light at rest it is
:meth:`LinearModel.csd`.

A lock-in multiplies with e^{iω_ref t} and drops what is fast: √2 z e^{i(ω_ref t + θ)} → a =
(z + ip)e^{i(ω_ref t + θ)}/√2, with X = √2 Re a and Y = √2 Im a of vacuum variance ½ each. X and Y
differ only if 2ω_ref/2π is a multiple of 1/T: only then is the lock-in locked to the light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import ConvergenceError, InputError
from ...models.linear import LinearModel
from ...models.ranges import require_count, require_finite, require_finite_array, require_range
from ...models.reprs import short_repr
from .drift import ModulatedModel
from .floquet import floquet

__all__ = ["DemodulatedSpectra", "cyclic_csd", "demodulated_csd", "lock_in_response"]

Array: TypeAlias = NDArray[np.float64]
Complex: TypeAlias = NDArray[np.complex128]

_CHUNK = 256
_FIRST_ORDER = 4
_LAST_ORDER = 128
_LOCKED = 1e-9


@dataclass(frozen=True)
class DemodulatedSpectra:
    """One-sided spectra of demodulated quadratures.

    Attributes
    ----------
    frequencies : ndarray, shape (f,)
        Distance from the reference, Hz, positive.
    matrix : ndarray, shape (f, 2c, 2c)
        Cross-spectral density of (X_1, Y_1, X_2, Y_2, …), unit²/Hz, one-sided.
    omega_ref : float
        Reference of the lock-in, rad/s.
    phase : float
        Its phase θ at t = 0 of the light, rad.
    locked : bool
        Whether 2ω_ref is a harmonic of the light, so that X and Y may differ.
    """

    frequencies: Array
    matrix: Complex
    omega_ref: float
    phase: float
    locked: bool

    __repr__ = short_repr

    def quadrature(self, channel: int, angle: float = 0.0) -> Array:
        """Spectrum of X cos(angle) − Y sin(angle), a lock-in phase θ + angle, shape (f,)."""
        row = np.zeros(self.matrix.shape[-1])
        if not 0 <= channel < row.size // 2:
            raise InputError(f"channel must lie in 0 … {row.size // 2 - 1}, got {channel}")
        row[2 * channel], row[2 * channel + 1] = math.cos(angle), -math.sin(angle)
        return np.asarray((row @ self.matrix @ row).real)

    def mixed(self, matrix: ArrayLike) -> DemodulatedSpectra:
        """Spectra of other channels, a′ = M a with real M of shape (c′, c)."""
        mixing = np.atleast_2d(np.asarray(matrix, dtype=np.float64))
        if mixing.shape[1] != self.matrix.shape[-1] // 2:
            raise InputError(
                f"the mixing needs {self.matrix.shape[-1] // 2} columns, its shape is "
                f"{mixing.shape}"
            )
        both = np.kron(mixing, np.eye(2))
        return DemodulatedSpectra(
            self.frequencies,
            both @ self.matrix @ both.T,
            self.omega_ref,
            self.phase,
            self.locked,
        )

    def common_and_differential(self) -> DemodulatedSpectra:
        """Spectra of a_± = (a_1 ± a_2)/√2, in this order.

        Raises
        ------
        InputError
            Unless there are two channels.
        """
        return self.mixed(np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2.0))


def lock_in_response(frequencies: ArrayLike, time_constant: float, order: int = 4) -> Complex:
    """Low-pass of a lock-in, (1 + 2πifτ)^{−order}; multiply spectra with its absolute square.

    Parameters
    ----------
    frequencies : array_like, shape (f,)
        Hz.
    time_constant : float
        τ of each stage, s.
    order : int
        Number of stages, 1 … 8.
    """
    require_range("time_constant", time_constant, 0.0, 1e6, "s")
    require_range("order", order, 1, 8)
    f = np.ravel(require_finite_array("frequencies", frequencies, "Hz"))
    return np.asarray((1.0 + 2j * np.pi * f * time_constant) ** (-order))


def cyclic_csd(
    model: ModulatedModel,
    frequencies: ArrayLike,
    *,
    order: int = 0,
    include_imprecision: bool = True,
    tolerance: float = 1e-9,
) -> Complex:
    """Cyclic cross-spectral density 2⟨Z(f) Z†(f + order/T)⟩, shape (f, c, c), unit²/Hz.

    Order 0 is the one-sided spectrum that an analyser averages, in the convention of
    :meth:`LinearModel.csd`.

    Parameters
    ----------
    model : ModulatedModel
        With periodic light, or light at rest.
    frequencies : array_like, shape (f,)
        Hz.
    order : int
        Cyclic order m.
    include_imprecision : bool
        Add the detection noise, which has no cyclic part.
    tolerance : float
        Relative change at which the number of sidebands is large enough.

    Raises
    ------
    InputError
        For light without a period, or an order other than 0 for light at rest.
    UnstableModelError
        If an amplitude grows.
    ConvergenceError
        If 128 sidebands are too few.
    """
    f = np.ravel(require_finite_array("frequencies", frequencies, "Hz"))
    require_count("order", order, -(10**4), 10**4)
    if model.period == 0.0:
        if order != 0:
            raise InputError(f"light at rest has cyclic order 0 only, got {order}")
        return model.frozen(0.0).csd(f, include_imprecision=include_imprecision)
    floquet(model).require_stable()
    spectrum = _converged(model, f, order, tolerance)
    if include_imprecision and order == 0:
        spectrum = spectrum + model.imprecision
    return spectrum


def _converged(model: ModulatedModel, f: Array, order: int, tolerance: float) -> Complex:
    """Cyclic spectrum with as many sidebands as needed; the probe is a few frequencies."""
    probe = f[np.unique(np.linspace(0, f.size - 1, 16).astype(int))] if f.size else f
    orders = _FIRST_ORDER
    coarse = _lifted(model, probe, order, orders)
    while orders < _LAST_ORDER:
        orders *= 2
        fine = _lifted(model, probe, order, orders)
        scale = np.abs(fine).max(initial=0.0)
        if np.abs(fine - coarse).max(initial=0.0) <= tolerance * scale:
            return _lifted(model, f, order, orders)
        coarse = fine
    raise ConvergenceError(
        f"{_LAST_ORDER} sidebands do not suffice to {tolerance:g}; use smoother light or a larger "
        "tolerance"
    )


def _lifted(model: ModulatedModel, f: Array, order: int, orders: int) -> Complex:
    """2 C (L⁻¹ N L⁻†)_{0,m} Cᵀ from 2·orders + 1 sidebands around f and f + m/T, (f, c, c)."""
    period = model.require_period()
    reach = orders + abs(order)
    size, n, c = 2 * reach + 1, model.states, model.channels
    drift, noise = model.harmonics(2 * reach)
    gap = np.subtract.outer(np.arange(size), np.arange(size)) + 2 * reach
    lifted = drift[gap].swapaxes(1, 2).reshape(size * n, size * n)
    spread = noise[gap].swapaxes(1, 2).reshape(size * n, size * n)
    # Rows of C that read the sidebands 0 and m.
    read = np.zeros((2, c, size, n))
    read[0, :, reach], read[1, :, reach + order] = model.output, model.output
    rows = read.reshape(2 * c, size * n).T
    sideband = np.repeat((np.arange(size) - reach) / period, n)
    result = np.empty((f.size, c, c), dtype=np.complex128)
    for low in range(0, f.size, _CHUNK):
        part = f[low : low + _CHUNK]
        matrix = np.broadcast_to(-lifted.T, (part.size, *lifted.shape)).copy()
        diagonal = np.arange(size * n)
        matrix[:, diagonal, diagonal] += 2j * np.pi * (part[:, None] + sideband)
        # C L⁻¹ by solving with Lᵀ.
        response = np.linalg.solve(matrix, rows.astype(np.complex128)).swapaxes(-1, -2)
        first, second = response[:, :c], response[:, c:]
        result[low : low + _CHUNK] = 2.0 * first @ spread @ second.conj().swapaxes(-1, -2)
    return result


def demodulated_csd(
    model: ModulatedModel | LinearModel,
    frequencies: ArrayLike,
    omega_ref: float,
    *,
    phase: float = 0.0,
    include_imprecision: bool = True,
    tolerance: float = 1e-9,
) -> DemodulatedSpectra:
    """Spectra of the quadratures that a lock-in at ω_ref shows.

    The mirror images at 2ω_ref, which its low-pass removes, are not part of it: exact for
    f ≪ ω_ref/π.

    Parameters
    ----------
    model : ModulatedModel or LinearModel
        Periodic light, or light at rest.
    frequencies : array_like, shape (f,)
        Distance from the reference, Hz; 0 … ω_ref/2π.
    omega_ref : float
        Reference, rad/s.
    phase : float
        θ, phase of the reference at t = 0 of the light, rad.
    include_imprecision : bool
        Add the detection noise.
    tolerance : float
        As for :func:`cyclic_csd`.

    Returns
    -------
    DemodulatedSpectra
        Quadratures (X_1, Y_1, X_2, Y_2, …), unit²/Hz.

    Raises
    ------
    InputError
        For a frequency outside its range or light without a period.
    UnstableModelError
        If an amplitude grows.

    Examples
    --------
    Only light that drives at 2ω_ref tells X from Y.

    >>> import optobind as ob
    >>> locked = []
    >>> for omega in (6e5, 5e5):
    ...     wave = ob.theory.power_modulation(0.001, omega)
    ...     model = ob.theory.single_model(omega=3e5, D=1e3, power=wave, gamma=1e3)
    ...     locked.append(ob.theory.demodulated_csd(model, [10.0, 100.0], 3e5).locked)
    >>> locked
    [True, False]
    """
    require_range("omega_ref", omega_ref, 1e-9, 1e12, "rad/s")
    require_finite("phase", phase, "rad")
    centre = omega_ref / (2.0 * math.pi)
    f = np.ravel(np.asarray(frequencies, dtype=np.float64))
    for value in (f.min(initial=0.0), f.max(initial=0.0)):
        require_range("frequencies", float(value), 0.0, centre, "Hz")
    if isinstance(model, LinearModel):
        below, above = (model.csd(nu, include_imprecision=False) for nu in (f - centre, f + centre))
        cross, locked = np.zeros_like(below), False
    else:

        def cyclic(frequency: Array, order: int) -> Complex:
            """Cyclic spectrum without imprecision."""
            return cyclic_csd(
                model, frequency, order=order, include_imprecision=False, tolerance=tolerance
            )

        below, above = cyclic(f - centre, 0), cyclic(f + centre, 0)
        ratio = 2.0 * centre * model.period if model.period else 0.5
        locked = abs(ratio - round(ratio)) < _LOCKED * ratio
        cross = cyclic(f - centre, round(ratio)) if locked else np.zeros_like(below)
    matrix = _quadratures(below, above, cross * np.exp(2j * phase))
    if include_imprecision:
        matrix = matrix + 2.0 * np.kron(model.imprecision, np.eye(2))
    return DemodulatedSpectra(f, matrix, omega_ref, phase, locked)


def _quadratures(below: Complex, above: Complex, cross: Complex) -> Complex:
    """One-sided matrix of (X_1, Y_1, …) from 2⟨Z Z†⟩ at f ∓ f_ref and between them.

    X = Z_− + Z_+ and Y = −i(Z_− − Z_+) with Z_∓ = Z(f ∓ f_ref)e^{±iθ}.
    """
    across = cross.conj().swapaxes(-1, -2)
    size = below.shape[-1]
    matrix = np.empty((len(below), 2 * size, 2 * size), dtype=np.complex128)
    matrix[:, 0::2, 0::2] = below + above + cross + across
    matrix[:, 1::2, 1::2] = below + above - cross - across
    matrix[:, 0::2, 1::2] = 1j * (below - above - cross + across)
    matrix[:, 1::2, 0::2] = -1j * (below - above + cross - across)
    return matrix
