"""The expected averaged periodogram of a sampled linear model, exactly, with derivatives.

The sampled record has R(mΔ) = C e^{AmΔ} V Cᵀ, so aliasing is inside; the periodogram of a segment
tapered by w has the expectation (one-sided, unit²/Hz)

    S(θ_k) = 2/(f_s Σw²) [G + G†] + S_imp,
    G = ½(w⋆w)(0)R(0) + Σ_{m=1}^{L−1} (w⋆w)(m) R(mΔ) e^{−iθ_km},

which holds leakage, also for lines far narrower than a bin. Two routes: modes and a closed form of
the sums for cosine-sum windows (fast), or the covariance sequence and an FFT (any window, also at
exceptional points and for overdamped motion).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft, linalg

from ...errors import InputError
from ...spectra import CsdEstimate
from ..matrices import DriftDerivatives
from .modes import Modes, modal_form
from .windows import Taper

__all__ = ["BinGrid", "expected_with_derivatives"]


@dataclass(frozen=True)
class BinGrid:
    """Bins at which a periodogram is expected.

    Attributes
    ----------
    bins : ndarray of int, shape (n_freq,)
        k of f_k = k·sample_rate/L.
    sample_rate : float
        Hz.
    taper : Taper
        The window.
    """

    bins: NDArray[np.int64]
    sample_rate: float
    taper: Taper

    @classmethod
    def of(cls, csd: CsdEstimate) -> BinGrid:
        """Bins of an estimate.

        Raises
        ------
        InputError
            If the frequencies are no multiples of sample_rate/segment.
        """
        exact = csd.frequencies / csd.bin_width
        bins = np.rint(exact).astype(np.int64)
        if len(bins) == 0 or np.abs(exact - bins).max() > 1e-3:
            raise InputError(
                f"the frequencies must be multiples of the bin width {csd.bin_width:g} Hz"
            )
        return cls(bins, float(csd.sample_rate), Taper.of(csd.window))

    @property
    def scale(self) -> float:
        """2/(f_s Σw²), 1/Hz."""
        return 2.0 / (self.sample_rate * self.taper.power)

    @property
    def resolution(self) -> float:
        """Angular bin width, rad/s."""
        return 2.0 * np.pi * self.sample_rate / self.taper.length

    @cached_property
    def autocorrelation(self) -> NDArray[np.float64]:
        """w⋆w of the taper."""
        return self.taper.autocorrelation()


@njit(cache=True, nogil=True)
def _pole(real, imag, offset, step):  # type: ignore[no-untyped-def]
    """Return x = 1/(1 − e^v), v = real + i(imag − step·offset), without cancellation near 0."""
    half = 0.5 * (imag - step * offset)
    s, c = np.sin(half), np.cos(half)
    grow = np.expm1(real)
    # e^v − 1 = (e^a − 1) cos b − 2 sin²(b/2) + i e^a sin b
    re = grow * (1.0 - 2.0 * s * s) - 2.0 * s * s
    im = (1.0 + grow) * 2.0 * s * c
    norm = re * re + im * im
    return complex(-re / norm, im / norm)


@njit(cache=True, nogil=True)
def _transfer(rate, bins, dt, length, amplitudes, leakage, weight0, h, dh):  # type: ignore[no-untyped-def]
    """Fill h = Σ_m (w⋆w)(m)(e^{aΔ−iθ})^m − ½(w⋆w)(0) and dh/da for one eigenvalue a.

    With x_p = 1/(1 − e^{aΔ−iθ_{k−p}}), E = 1 − e^{aLΔ}:
    h = −½(w⋆w)(0) + Σ_p a_p²[L x_p − E x_p(x_p − 1)] + κ_p E x_p.
    """
    order = (len(amplitudes) - 1) // 2
    step = 2.0 * np.pi / length
    nearest = np.rint(rate.imag * dt / step)
    # Reference to the nearest bin: x and E then agree to rounding even for the narrowest line.
    real, imag = rate.real * dt, rate.imag * dt - nearest * step
    ring = np.expm1(real * length)
    s, c = np.sin(0.5 * imag * length), np.cos(0.5 * imag * length)
    decay = -complex(ring * (1.0 - 2.0 * s * s) - 2.0 * s * s, (1.0 + ring) * 2.0 * s * c)
    d_decay = length * dt * (decay - 1.0)
    # x, x(x−1) and x(x−1)(2x−1) = Δ^−2 d²x/da² of the 2P+1 neighbouring bins.
    x = np.empty(2 * order + 1, dtype=np.complex128)
    quad = np.empty_like(x)
    cubic = np.empty_like(x)
    previous = -(1 << 62)
    for i in range(len(bins)):
        k = bins[i]
        fresh = 2 * order + 1
        if k == previous + 1:
            # p ↔ θ_{k−p}: the next bin shifts the list by one.
            fresh = 1
            for q in range(2 * order, 0, -1):
                x[q], quad[q], cubic[q] = x[q - 1], quad[q - 1], cubic[q - 1]
        for q in range(fresh):
            x[q] = _pole(real, imag, k - (q - order) - nearest, step)
            quad[q] = x[q] * (x[q] - 1.0)
            cubic[q] = quad[q] * (2.0 * x[q] - 1.0)
        previous = k
        sum_x, sum_quad, sum_cubic = complex(0.0, 0.0), complex(0.0, 0.0), complex(0.0, 0.0)
        leak_x, leak_quad = complex(0.0, 0.0), complex(0.0, 0.0)
        for q in range(2 * order + 1):
            a2 = amplitudes[q] * amplitudes[q]
            sum_x += a2 * x[q]
            sum_quad += a2 * quad[q]
            sum_cubic += a2 * cubic[q]
            leak_x += leakage[q] * x[q]
            leak_quad += leakage[q] * quad[q]
        # κ_p is imaginary: leak stands for Σ κ_p x_p over i.
        leak_x, leak_quad = 1j * leak_x, 1j * leak_quad
        h[i] = length * sum_x + decay * (leak_x - sum_quad) - 0.5 * weight0
        dh[i] = dt * (length * sum_quad + decay * (leak_quad - sum_cubic)) + d_decay * (
            leak_x - sum_quad
        )


def _bases(grid: BinGrid, modes: Modes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Real functions of frequency that span S and its derivatives, shape (4k, n) twice.

    Rows per mode: Re(h+h̄), −Im(h−h̄), the same of h′ (for the real parts of S), then
    Im(h+h̄), Re(h−h̄), … (for its imaginary part), where h̄ belongs to the conjugate mode.
    """
    taper = grid.taper
    n, dt = len(grid.bins), 1.0 / grid.sample_rate
    even = np.empty((4 * len(modes.rates), n))
    odd = np.empty_like(even)
    h = np.empty((4, n), dtype=np.complex128)
    for k, rate in enumerate(modes.rates):
        for row, a in ((0, rate), (1, np.conj(rate))):
            _transfer(
                complex(a), grid.bins, dt, taper.length, taper.amplitudes, taper.leakage,
                taper.power, h[row], h[row + 2],
            )  # fmt: skip
        for first, (up, down) in ((0, (h[0], h[1])), (2, (h[2], h[3]))):
            row = 4 * k + first
            even[row] = up.real + down.real
            even[row + 1] = down.imag - up.imag
            odd[row] = up.imag + down.imag
            odd[row + 1] = up.real - down.real
    return even, odd


def _coefficients(modes: Modes, symmetric: bool) -> NDArray[np.complex128]:
    """Complex factors of (h, h′) per mode, shape (1+P, 2k, entries); row 0 is S itself."""
    c, dc = modes.residues, modes.d_residues
    rows, channels = len(dc), c.shape[-1]

    def pick(m: NDArray[np.complex128]) -> NDArray[np.complex128]:
        if channels == 1:
            return 2.0 * m[..., 0]
        if not symmetric:
            return m[..., 0, 1:] - m[..., 1, :1]
        entries = np.empty((*m.shape[:-2], 3), dtype=np.complex128)
        entries[..., 0] = 2.0 * m[..., 0, 0]
        entries[..., 1] = 2.0 * m[..., 1, 1]
        entries[..., 2] = m[..., 0, 1] + m[..., 1, 0]
        return entries

    value, slope = pick(c), pick(dc)
    out = np.zeros((1 + rows, 2 * len(c), value.shape[-1]), dtype=np.complex128)
    out[0, 0::2] = value
    out[1:, 0::2] = slope
    out[1:, 1::2] = modes.d_rates[:, :, None] * value[None]
    return out


@njit(cache=True, nogil=True)
def _combine(factors, basis, scale, out):  # type: ignore[no-untyped-def]
    """out[p, e] = scale Σ_k Re f_pke·basis[2k] + Im f_pke·basis[2k+1].

    A loop of its own: threads of a BLAS cost more here than they bring.
    """
    rows, columns, entries = factors.shape
    for p in range(rows):
        for e in range(entries):
            target = out[p, e]
            target[:] = 0.0
            for k in range(columns):
                re, im = scale * factors[p, k, e].real, scale * factors[p, k, e].imag
                if re == 0.0 and im == 0.0:
                    continue
                first, second = basis[2 * k], basis[2 * k + 1]
                for i in range(len(target)):
                    target[i] += re * first[i] + im * second[i]


def _by_modes(grid: BinGrid, modes: Modes) -> NDArray[np.float64]:
    """Expected periodogram and derivatives from modes, shape (1+P, c², n)."""
    even, odd = _bases(grid, modes)
    entries = modes.residues.shape[-1] ** 2
    out = np.empty((1 + len(modes.d_rates), entries, len(grid.bins)))
    _combine(_coefficients(modes, True), even, grid.scale, out)
    if entries > 1:
        _combine(_coefficients(modes, False), odd, grid.scale, out[:, 3:])
    return out


@njit(cache=True, nogil=True)
def _sequence(step, d_step, start, d_start, output, weights, out):  # type: ignore[no-untyped-def]
    """out[p, j, e, m] = (w⋆w)(m) · (C Fᵐ X)_je and its derivatives, by recursion."""
    n, c = start.shape
    rows = d_step.shape[0]
    x, dx = start.copy(), d_start.copy()
    nx, ndx = np.empty_like(x), np.empty_like(dx)
    for m in range(len(weights)):
        for j in range(c):
            for e in range(c):
                total = 0.0
                for i in range(n):
                    total += output[j, i] * x[i, e]
                out[0, j, e, m] = weights[m] * total
                for p in range(rows):
                    total = 0.0
                    for i in range(n):
                        total += output[j, i] * dx[p, i, e]
                    out[p + 1, j, e, m] = weights[m] * total
        for i in range(n):
            for e in range(c):
                total = 0.0
                for q in range(n):
                    total += step[i, q] * x[q, e]
                nx[i, e] = total
                for p in range(rows):
                    total = 0.0
                    for q in range(n):
                        total += step[i, q] * dx[p, q, e] + d_step[p, i, q] * x[q, e]
                    ndx[p, i, e] = total
        x, nx = nx, x
        dx, ndx = ndx, dx


def _lyapunov_derivatives(
    model: DriftDerivatives,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """V of AV + VAᵀ + N = 0 and its derivatives, by one Kronecker system (no eigenvectors)."""
    n = len(model.drift)
    identity = np.eye(n)
    system = np.kron(model.drift, identity) + np.kron(identity, model.drift)
    factors = linalg.lu_factor(system)
    v = linalg.lu_solve(factors, -model.noise.ravel()).reshape(n, n)
    forced = model.d_drift @ v
    forced = forced + forced.swapaxes(-1, -2) + model.d_noise
    dv = linalg.lu_solve(factors, -forced.reshape(len(forced), n * n).T).T.reshape(-1, n, n)
    return v, dv


def _by_sequence(grid: BinGrid, model: DriftDerivatives) -> NDArray[np.float64]:
    """Expected periodogram and derivatives from the covariance sequence, shape (1+P, c², n)."""
    n, dt = len(model.drift), 1.0 / grid.sample_rate
    v, dv = _lyapunov_derivatives(model)
    step = linalg.expm(model.drift * dt)
    block = np.zeros((len(model.d_drift), 2 * n, 2 * n))
    block[:, :n, :n] = block[:, n:, n:] = model.drift * dt
    block[:, :n, n:] = model.d_drift * dt
    d_step = linalg.expm(block)[:, :n, n:].copy()
    weights = grid.autocorrelation.copy()
    weights[0] *= 0.5
    c = len(model.output)
    sequence = np.empty((1 + len(dv), c, c, len(weights)))
    _sequence(
        step, d_step, v @ model.output.T, dv @ model.output.T, model.output, weights, sequence
    )
    out = np.empty((1 + len(dv), c * c, len(grid.bins)))
    for row, matrices in enumerate(sequence):
        g = fft.rfft(matrices, axis=-1)[..., grid.bins]
        for j in range(c):
            out[row, j] = 2.0 * g[j, j].real
        if c == 2:
            total = g[0, 1] + g[1, 0].conj()
            out[row, 2], out[row, 3] = total.real, total.imag
    return out * grid.scale


def expected_with_derivatives(
    grid: BinGrid, model: DriftDerivatives, *, use_modes: bool = True
) -> NDArray[np.float64]:
    """Return the expected periodogram without imprecision, and its derivatives.

    Parameters
    ----------
    grid : BinGrid
        Bins, sample rate and window.
    model : DriftDerivatives
        A stable model with one or two channels and derivatives for P parameters.
    use_modes : bool
        Try the fast route first (the other one is its independent check).

    Returns
    -------
    ndarray, shape (1+P, c², n_freq)
        Row 0 the spectrum, then its derivatives; entries S_11 (one channel) or S_11, S_22,
        Re S_12, Im S_12, one-sided, unit²/Hz.

    Raises
    ------
    UnstableModelError
        If the model grows.
    """
    modes = modal_form(model, grid.resolution)
    if modes is None or not use_modes or grid.taper.amplitudes is None:
        return _by_sequence(grid, model)
    return _by_modes(grid, modes)
