"""Normal modes of any linear model: non-Hermitian, with right and left vectors.

The drift A is real but not normal: with nonreciprocal coupling its right vectors (how a mode
moves) are not its left vectors (what excites it). A mode moves as e^{λt} = e^{−iΩt} with Ω = iλ,
so Im Ω > 0 grows. Vectors are biorthonormal, LR = 1, and right vectors have norm 1 in units in
which every oscillator on its own has circular orbits; there an uncoupled mode is
a = (z + ip)/√2, its Petermann factor K = |L|²|R|² is 1, and L N L† is its heating rate dn/dt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import Place, TrapArray
from ...models.errors import InputError
from ...models.linear import LinearModel
from ...models.ranges import require_finite_array, require_range
from ...models.reprs import short_repr
from .eigenvectors import Eigenvectors, biorthonormal

__all__ = ["NormalModes", "normal_modes"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# Sums over modes cancel twice as many digits as the condition number of the vectors has.
_SUMMABLE = 1e4
_BLOCK = 2**20  # complex numbers held at once: some 16 MB


@dataclass(frozen=True)
class NormalModes:
    """Normal modes, slowest first; among equal frequencies the most damped first.

    An oscillation is one mode (its conjugate partner is implied); an overdamped motion is two
    modes without frequency.

    Attributes
    ----------
    model : LinearModel
        What the modes are of.
    axes : str
        Axes of each particle, for example "z".
    frequencies : ndarray, shape (m,)
        Ω, rad/s; Re Ω ≥ 0, and −2 Im Ω is the damping rate of the energy.
    right : ndarray, shape (s, m)
        Right vectors in the states of the model, x = Σ_k 2 Re(R_k a_k).
    left : ndarray, shape (m, s)
        Left vectors, a_k = L_k x.
    petermann : ndarray, shape (m,)
        K ≥ 1; √K is the condition number of the eigenvalue, infinite at an exceptional point.
    condition : float
        Condition number of the matrix of all right vectors.
    degenerate : ndarray, shape (m,)
        Modes that share their frequency with another, but have vectors of their own; any
        orthonormal choice within their space is as good.
    exceptional : ndarray, shape (m,)
        Modes at or near an exceptional point, or of a long chain that leans on one end: vectors
        nearly coincide, K is beyond the limit, and left vectors and heating rates are not to be
        trusted one by one.
    participation, left_participation : ndarray, shape (m, particles, axes)
        Shares of particles and axes in the motion of a mode, and in what excites it; sum 1.

    Examples
    --------
    Biorthonormal vectors: what a mode excites is that mode alone.

    >>> import numpy as np
    >>> import optobind as ob
    >>> modes = ob.theory.normal_modes(ob.load_trap("simulated-pair"))
    >>> bool(np.allclose(modes.left @ modes.right, np.eye(len(modes))))
    True
    """

    model: LinearModel
    axes: str
    frequencies: Complex
    right: Complex
    left: Complex
    petermann: Array
    condition: float
    degenerate: NDArray[np.bool_]
    exceptional: NDArray[np.bool_]
    participation: Array
    left_participation: Array

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.frequencies)

    @property
    def particles(self) -> int:
        """Number of particles."""
        return int(self.participation.shape[1])

    @property
    def damping(self) -> Array:
        """Damping rates of the modes' energies, −2 Im Ω, 1/s; negative for growth."""
        return np.asarray(-2.0 * self.frequencies.imag)

    @property
    def correlations(self) -> Complex:
        """⟨noise⟩ between modes, L N L†, shape (m, m), 1/s: d⟨a_k a_l*⟩/dt besides the drift."""
        return np.asarray(self.left @ self.model.noise @ self.left.conj().T)

    @property
    def heating_rates(self) -> Array:
        """Heating rates d⟨|a_k|²⟩/dt by recoil and gas, (m,), 1/s.

        Of an equal pair without coupling D_11 ± Re D_12; multiplied by K near exceptional points.
        """
        product = np.einsum("ks,st,kt->k", self.left, self.model.noise, self.left.conj())
        return np.asarray(product.real)

    @property
    def occupations(self) -> Array:
        """Stationary n_k = (heating rate)/(damping) − ½, (m,); infinite where nothing damps."""
        damping, heating = self.damping, self.heating_rates
        damped = damping > 0.0
        ratio = heating / np.where(damped, damping, 1.0)
        return np.asarray(np.where(damped, ratio - 0.5, np.inf))

    @property
    def dominant_particle(self) -> NDArray[np.intp]:
        """Index of the particle that moves most in each mode, (m,)."""
        return np.asarray(self.participation.sum(axis=2).argmax(axis=1))

    def amplitudes(self, states: ArrayLike) -> Complex:
        """Amplitudes a_k of states (…, s) of the model, shape (…, m)."""
        x = np.asarray(states)
        if x.shape[-1:] != (self.model.states,):
            raise InputError(f"states need {self.model.states} entries, got shape {x.shape}")
        return np.asarray(x @ self.left.T)

    def response(self, frequencies: ArrayLike) -> Complex:
        """χ(f) = Σ R_k L_k/(2πif − λ_k) over modes and partners, (n_freq, s, s), s.

        Near exceptional points, where the sum would cancel, by inversion.
        """
        f = np.ravel(require_finite_array("frequencies", frequencies, "Hz"))
        if self.condition > _SUMMABLE:
            return self.model.transfer(f)
        rates, right, left = self._all()
        return np.asarray(np.einsum("fk,sk,kt->fst", self._poles(f, rates), right, left))

    def spectrum(self, frequencies: ArrayLike, *, include_imprecision: bool = True) -> Complex:
        """One-sided cross-spectral density through the modes, as :meth:`LinearModel.csd`.

        Parameters
        ----------
        frequencies : array_like, shape (n_freq,)
            Hz.
        include_imprecision : bool
            Add the white detection noise of the model.

        Returns
        -------
        ndarray, shape (n_freq, c, c)
            unit²/Hz; for many particles faster than inverting at every frequency.

        Raises
        ------
        UnstableModelError
            If the model grows.
        """
        f = np.ravel(require_finite_array("frequencies", frequencies, "Hz"))
        model = self.model
        if self.condition > _SUMMABLE:
            return model.csd(f, include_imprecision=include_imprecision)
        model.require_stable("spectra do not exist, use finite-time covariances")
        rates, right, left = self._all()
        shapes = model.output @ right
        kicks = 2.0 * left @ model.noise @ left.conj().T
        spectrum = np.empty((f.size, model.channels, model.channels), dtype=np.complex128)
        step = max(1, _BLOCK // shapes.size)
        for start in range(0, f.size, step):
            moved = shapes * self._poles(f[start : start + step], rates)[:, None, :]
            spectrum[start : start + step] = moved @ kicks @ moved.conj().swapaxes(-1, -2)
        return spectrum + model.imprecision if include_imprecision else spectrum

    @staticmethod
    def _poles(f: Array, rates: Complex) -> Complex:
        return np.asarray(1.0 / (2j * np.pi * f[:, None] - rates))

    def _all(self) -> tuple[Complex, Complex, Complex]:
        """Eigenvalues and vectors of modes and their conjugate partners."""
        pairs = self.frequencies.real > 0.0
        rates = -1j * self.frequencies
        return (
            np.concatenate([rates, rates[pairs].conj()]),
            np.concatenate([self.right, self.right[:, pairs].conj()], axis=1),
            np.concatenate([self.left, self.left[pairs].conj()], axis=0),
        )


def normal_modes(
    system: LinearModel | TrapArray,
    *,
    axes: str = "z",
    at: Place = "equilibrium",
    tolerance: float = 1e-9,
    petermann_limit: float = 1e6,
) -> NormalModes:
    """Find the normal modes of an array, or of any model of oscillators.

    Parameters
    ----------
    system : LinearModel or TrapArray
        A model has states (q, p) per particle and axis, as :meth:`TrapArray.linearize` makes it.
    axes : str
        Axes of each particle, some of "xyz".
    at : "equilibrium", "focus" or array_like of shape (n, 3)
        Where an array is linearised.
    tolerance : float
        Eigenvalues closer than this, relative to the largest, count as equal.
    petermann_limit : float
        K beyond which a mode is flagged as exceptional.

    Returns
    -------
    NormalModes
        Slowest first; frequencies in rad/s.

    Raises
    ------
    InputError
        For a model whose states are not (q, p) pairs of so many axes.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (10) and (12).

    Examples
    --------
    Reciprocal modes are orthogonal, K = 1; next to an exceptional point K grows.

    >>> import optobind as ob
    >>> even = ob.PairConstants(3e6, 4e3, 1e3, 0.0, 2e3, 2e3, 0.0).to_linear()
    >>> odd = ob.PairConstants(3e6, 3.99e3, 0.0, 1e3, 2e3, 2e3, 0.0).to_linear()  # δω ≈ 4g_a
    >>> largest = [float(ob.theory.normal_modes(m).petermann.max()) for m in (even, odd)]
    >>> largest[0] < 1.001, largest[1] > 100.0
    (True, True)
    """
    require_range("tolerance", tolerance, 1e-15, 1e-2)
    require_range("petermann_limit", petermann_limit, 1.0, 1e30)
    if not isinstance(axes, str):
        raise InputError(f"axes must be some of 'xyz', for example 'z', got {axes!r}")
    if isinstance(system, TrapArray):
        axes = "".join(sorted(axes))
        model = system.linearize(at, axes)
    else:
        model = system
    if not axes or model.states % (2 * len(axes)):
        raise InputError(
            f"states must be (q, p) for each particle and each axis of {axes!r}, the model has "
            f"{model.states} states"
        )
    scale = _own_units(model.drift)
    drift = model.drift * scale[:, None] / scale[None, :]
    found = biorthonormal(drift, tolerance)
    order = _order(found, tolerance)
    right, left = found.right[:, order], found.left[order]
    petermann = found.petermann[order]
    return NormalModes(
        model=model,
        axes=axes,
        frequencies=1j * found.values[order],
        right=right / scale[:, None],
        left=left * scale[None, :],
        petermann=petermann,
        condition=found.condition,
        degenerate=found.degenerate[order],
        exceptional=found.defective[order] | (petermann > petermann_limit),
        participation=_shares(right.T, len(axes)),
        left_participation=_shares(left, len(axes)),
    )


def _own_units(drift: Array) -> Array:
    """Factors (s,) to units in which each oscillator on its own moves on circles."""
    forth, back = np.diag(drift, 1)[::2], -np.diag(drift, -1)[::2]
    free = (forth > 0.0) & (back > 0.0)
    root = np.where(free, np.where(free, back, 1.0) / np.where(free, forth, 1.0), 1.0) ** 0.25
    return np.stack([root, 1.0 / root], axis=1).ravel()


def _order(found: Eigenvectors, tolerance: float) -> NDArray[np.intp]:
    """Order by frequency; equal ones, which rounding would shuffle, by damping."""
    frequency = -found.values.imag
    largest = float(np.abs(found.values).max(initial=0.0))
    order = np.argsort(frequency, kind="stable")
    step = np.diff(frequency[order], prepend=frequency[order][:1]) > tolerance * largest
    group = np.cumsum(step)
    return np.asarray(order[np.lexsort((found.values.real[order], group))])


def _shares(rows: Complex, axes: int) -> Array:
    """Shares of particles and axes, (m, particles, axes), of rows (m, s) in own units."""
    weight: Any = np.abs(rows) ** 2
    # An exactly defective matrix may leave a left vector of no finite length.
    weight = np.where(np.isfinite(weight), weight, 0.0)
    total = weight.sum(axis=1, keepdims=True)
    shares = weight / np.where(total > 0.0, total, 1.0)
    return np.asarray(shares.reshape(len(rows), -1, axes, 2).sum(axis=3))
