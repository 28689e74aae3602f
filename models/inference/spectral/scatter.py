"""How a periodogram's score scatters: bins and segments of a line are correlated, exactly.

The Whittle likelihood takes bins as independent, each worth K/κ averages. That is right for what is
smooth over bins. For lines of few bins it is not: neighbouring bins see the same amplitude through
the window, and so do segments that follow each other within the correlation time. With whitened
transforms x of segment a, bin k, and y of segment b, bin l, ⟨x y†⟩ = Γ, Gaussian moments give

    cov(tr N x x†, tr P y y†) = tr(N Γ P Γ†),

so the score s = w Σ_k jᵀr has the covariance J = w²/K Σ_m (1−|m|/K) Σ_kl j_kᵀ K_kl j_l and the
estimates scatter by F⁻¹ J F⁻¹, with F = w Σ jᵀj. With R(τ) = Σ c e^{aτ} for τ ≥ 0 (physics.md §6)
and a window of cosines, Γ is a sum of products: all its geometric sums are closed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft, linalg

from ..matrices import DriftDerivatives, drift_derivatives
from .periodogram import BinGrid
from .windows import Taper, bin_correlations
from .wishart import Evaluation, SpectralProblem

__all__ = ["Correlations", "correlation_modes", "score_covariance"]

_Complex = NDArray[np.complex128]
_Any = NDArray[Any]  # real or complex
_Array = NDArray[np.float64]

# Bins apart beyond which transforms through a window of cosines are independent.
_REACH = 12
# Lines wider than this many bins are smooth over what a window joins.
_SMOOTH = 12.0
# |correlation|² of two segments that is worth no further sum.
_FAINT = 1e-3
_MOST_LAGS = 200
# Cosines that stand for a window that is no short sum of them.
_ORDERS = 12
# Condition of eigenvectors that still leaves an error bar five digits.
_CONDITION = 1e6


@dataclass(frozen=True)
class Modes:
    """R(τ) = Σ c e^{aτ}, τ ≥ 0, in samples: rates (k,), residues (k, c, c)."""

    rates: _Complex
    residues: _Complex


def correlation_modes(model: DriftDerivatives, sample_rate: float) -> Modes:
    """All modes, of a model moved off its exceptional point by less than an error bar can show."""
    drift = model.drift
    for shift in (0.0, 1e-4, 1e-3, 1e-2):
        tilted = drift.copy()
        # Springs of the last particle: enough to part two lines that meet.
        width = float(np.abs(np.trace(drift))) / len(drift)
        tilted[-1, -2] *= 1.0 + shift * width / float(np.abs(linalg.eigvals(drift)).max())
        rates, right = np.linalg.eig(tilted)
        if np.linalg.cond(right) < _CONDITION:
            break
    variance = linalg.solve_continuous_lyapunov(tilted, -model.noise)
    seen = model.output @ right
    source = np.linalg.solve(right, variance @ model.output.T)
    residues = seen.T[:, :, None] * source[:, None, :]
    return Modes((rates / sample_rate).astype(np.complex128), residues.astype(np.complex128))


@dataclass(frozen=True)
class _Motion:
    """Modes and imprecision of a model."""

    modes: Modes
    noise: _Array


class Correlations:
    """⟨X_a,k X_b,l†⟩ of segments' tapered transforms, for bins k, l of a run of bins.

    Parameters
    ----------
    grid : BinGrid
        Bins, sample rate and window.
    bins : ndarray of int, shape (n,)
        Neighbouring bins.
    modes : Modes
        Correlation function of the motion.
    noise : ndarray, shape (c,)
        Imprecision of each channel, one-sided, unit²/Hz.
    """

    def __init__(self, grid: BinGrid, bins: NDArray[np.int64], modes: Modes, noise: _Array) -> None:
        self.length = grid.taper.length
        self.amplitudes = _cosines(grid.taper)
        self.order = (len(self.amplitudes) - 1) // 2
        self.scale = grid.scale
        self.modes = modes
        self.variance = np.diag(noise) * grid.sample_rate / 2.0
        self.count = len(bins)
        # Bins k − p and l + q for p, q = −P … P.
        wide = np.arange(bins[0] - self.order, bins[-1] + self.order + 1)
        self.angles = 2.0 * np.pi * wide / self.length

    def _before(self, values: _Any) -> _Complex:
        """Σ_p a_p v_{k−p} over the last axis."""
        return _folded(self.amplitudes[::-1], values)

    def _behind(self, values: _Any) -> _Complex:
        """Σ_q a_q v_{l+q} over the last axis."""
        return _folded(self.amplitudes, values)

    def between(self, delay: int) -> _Complex:
        """Γ of segments ``delay`` samples apart, shape (n, n, c, c), one-sided unit²/Hz.

        The later segment is the second one.
        """
        if delay >= self.length:
            return self._apart(delay)
        return self._overlapping(delay)

    def _apart(self, delay: int) -> _Complex:
        a = self.modes.rates[:, None]
        decay = np.exp(a * self.length) - 1.0
        early = decay / (1.0 - np.exp(-a - 1j * self.angles))
        late = -decay / (1.0 - np.exp(a + 1j * self.angles))
        first, second = self._before(early), self._behind(late)
        between = np.exp(self.modes.rates * (delay - self.length))
        weights = between[:, None, None] * self.modes.residues.swapaxes(-1, -2)
        return self.scale * _products(first, second, weights)

    def _overlapping(self, delay: int) -> _Complex:
        n, rest = self.length, self.length - delay
        a, angles = self.modes.rates[:, None], self.angles
        c, ct = self.modes.residues, self.modes.residues.swapaxes(-1, -2)
        x1 = 1.0 / (1.0 - np.exp(a - 1j * angles))
        z2 = 1.0 / (1.0 - np.exp(-a + 1j * angles))
        zeta = a + 1j * angles
        y = 1.0 / (1.0 - np.exp(-zeta))
        turn = np.exp(-1j * angles * delay)
        ahead = np.exp(1j * angles * rest)
        # What comes after the later segment's sample, and what before it: see the module.
        after = self._before(x1)
        pairs = [
            (after, self._behind(z2 * ahead), c),
            (-np.exp(a * rest) * after, self._behind(z2), c),
        ]
        before = np.exp(a * delay) * (1.0 - np.exp(zeta * rest))
        before = before + (np.exp(a * n) - 1.0) * ahead * (1.0 - np.exp(zeta * delay))
        pairs.append((self._before(y), self._behind(before / (1.0 - np.exp(zeta))), ct))
        out = np.zeros((self.count, self.count, *self.variance.shape), dtype=np.complex128)
        for left, right, residues in pairs:
            out += _products(left, right, residues)
        near = np.einsum("mk,mcd->kcd", x1, c) - np.einsum("mk,mcd->kcd", y, ct)
        near = turn[:, None, None] * (near + self.variance)
        share = self._shares(rest)
        k = np.arange(self.count)
        for i, weight in enumerate(self.amplitudes[::-1]):
            rows = weight * near[i : i + self.count]
            apart = k[:, None] - k[None, :] + (i - self.order)
            out += share[apart + self.count + self.order][:, :, None, None] * rows[:, None]
        return np.asarray(self.scale * out)

    def _shares(self, rest: int) -> _Complex:
        """Σ_q a_q Σ_{t<rest} e^{−2πi(m−q)t/L} for m = −(n+P) … n+P."""
        reach = self.count + self.order
        m = np.arange(-reach - self.order, reach + self.order + 1)
        angle = -2j * np.pi * m / self.length
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = (1.0 - np.exp(angle * rest)) / (1.0 - np.exp(angle))
        sums[m == 0] = rest
        return _folded(self.amplitudes[::-1], sums)


def _cosines(taper: Taper) -> _Complex:
    """a_p of w_n = Σ_p a_p exp(2πipn/L), p = −P … P; the first ones of a window that has more."""
    if taper.amplitudes is not None:
        return np.asarray(taper.amplitudes, dtype=np.complex128)
    half = fft.rfft(taper.window)[: min(_ORDERS, taper.length // 2 - 1) + 1] / taper.length
    return np.asarray(np.concatenate([half[:0:-1].conj(), half]))


def _products(left: _Complex, right: _Complex, weights: _Complex) -> _Complex:
    """Σ_m u_mk v_ml c_m, shape (n, n, c, c)."""
    channels = weights.shape[-1]
    spread = weights[:, :, :, None] * right[:, None, None, :]
    found = left.T @ spread.reshape(len(left), -1)
    return np.asarray(found.reshape(left.shape[1], channels, channels, -1).transpose(0, 3, 1, 2))


def _folded(weights: _Complex, values: _Any) -> _Complex:
    """Sums over each value and those that follow it, weighted; shorter by len(weights) − 1."""
    count = values.shape[-1] - len(weights) + 1
    out = np.zeros((*values.shape[:-1], count), dtype=np.complex128)
    for i, weight in enumerate(weights):
        out += weight * values[..., i : i + count]
    return out


@njit(cache=True, nogil=True)
def _seen(correlations, weights, reach, share, out):  # type: ignore[no-untyped-def]
    """out[p, k] += share Σ_l Γ_kl P_pl Γ_kl† for |k − l| ≤ reach and Hermitian P."""
    rows, n, channels = weights.shape[0], weights.shape[1], weights.shape[2]
    for k in range(n):
        for m in range(max(0, k - reach), min(n, k + reach + 1)):
            a = correlations[k, m, 0, 0]
            if channels == 1:
                square = share * (a.real * a.real + a.imag * a.imag)
                for p in range(rows):
                    out[p, k, 0, 0] += square * weights[p, m, 0, 0]
                continue
            b, c, d = correlations[k, m, 0, 1], correlations[k, m, 1, 0], correlations[k, m, 1, 1]
            for p in range(rows):
                x, y, z = weights[p, m, 0, 0], weights[p, m, 1, 1], weights[p, m, 0, 1]
                up_1, up_2 = a * x + b * z.conjugate(), a * z + b * y
                low_1, low_2 = c * x + d * z.conjugate(), c * z + d * y
                cross = share * (up_1 * c.conjugate() + up_2 * d.conjugate())
                out[p, k, 0, 0] += share * (up_1 * a.conjugate() + up_2 * b.conjugate())
                out[p, k, 1, 1] += share * (low_1 * c.conjugate() + low_2 * d.conjugate())
                out[p, k, 0, 1] += cross
                out[p, k, 1, 0] += cross.conjugate()


def _matrices(entries: _Array) -> _Complex:
    """Hermitian matrices (P, n, c, c) from whitened entries (P, c², n)."""
    if entries.shape[1] == 1:
        return entries.swapaxes(1, 2)[..., None].astype(np.complex128)
    out = np.empty((len(entries), entries.shape[2], 2, 2), dtype=np.complex128)
    out[..., 0, 0], out[..., 1, 1] = entries[:, 0], entries[:, 1]
    out[..., 0, 1] = (entries[:, 2] + 1j * entries[:, 3]) / math.sqrt(2.0)
    out[..., 1, 0] = out[..., 0, 1].conj()
    return out


def _entries(matrices: _Complex) -> _Array:
    """Whitened entries (P, c², n) of Hermitian matrices (P, n, c, c)."""
    if matrices.shape[-1] == 1:
        return np.asarray(matrices[..., 0].real.swapaxes(1, 2))
    cross = math.sqrt(2.0) * matrices[..., 0, 1]
    parts = (matrices[..., 0, 0].real, matrices[..., 1, 1].real, cross.real, cross.imag)
    return np.stack(parts, axis=1)


def score_covariance(
    problem: SpectralProblem, values: _Array, evaluation: Evaluation
) -> NDArray[np.float64]:
    """Covariance J of the score, shape (P, P); that of a likelihood would be its information.

    Parameters
    ----------
    problem : SpectralProblem
        What was fitted.
    values : ndarray, shape (P,)
        Parameters that are taken for true.
    evaluation : Evaluation
        Likelihood there, for its whitened Jacobian.
    """
    runs = _runs(problem, values)
    _, fisher = evaluation.normal_equations()
    if not runs:
        return fisher
    information = problem.information
    flat = bin_correlations(
        problem.grid.taper.window, information.overlap, information.equivalent, _REACH + 1
    )
    motion, whitening = _motion(problem, values), _whitening(problem.expected(values)[0])
    found = np.zeros_like(fisher)
    for run in runs:
        own = np.ascontiguousarray(evaluation.jacobian[..., run])
        moved = _exact(problem, motion, run, whitening[run], own)
        found += _gram(own, moved - _shared(problem.grid.bins[run], flat) * own)
    # With κ in its weight F is right for what is smooth over bins: what is not takes its place.
    found = fisher + information.weight**2 / information.equivalent * found
    return np.asarray(0.5 * (found + found.T))


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _gram(first, second):  # type: ignore[no-untyped-def]
    """Σ_ek a_pek b_qek (no BLAS, see the periodogram)."""
    rows, entries, n = first.shape
    out = np.empty((rows, rows))
    for p in range(rows):
        for q in range(rows):
            total = 0.0
            for e in range(entries):
                for k in range(n):
                    total += first[p, e, k] * second[q, e, k]
            out[p, q] = total
    return out


def _shared(bins: NDArray[np.int64], flat: _Array) -> _Array:
    """Σ_l κ_|k−l| over a run of bins: how much of κ lies within the run, shape (n,)."""
    apart = np.abs(bins[:, None] - bins[None, :])
    return np.asarray(np.append(flat, 0.0)[np.minimum(apart, len(flat))].sum(axis=1))


def _motion(problem: SpectralProblem, values: _Array) -> _Motion:
    model = drift_derivatives(problem.model, values, problem.mass_ratio)
    noises = len(model.output)
    return _Motion(
        correlation_modes(model, problem.grid.sample_rate), values[len(values) - noises :]
    )


def _runs(problem: SpectralProblem, values: _Array) -> list[NDArray[np.intp]]:
    """Places of the bins around narrow lines, a run for lines whose surroundings meet."""
    grid = problem.grid
    drift = drift_derivatives(problem.model, values, problem.mass_ratio).drift
    rates = linalg.eigvals(drift) / grid.resolution
    near = np.zeros(len(grid.bins), dtype=bool)
    for rate in rates[rates.imag >= 0.0]:
        width = -2.0 * rate.real
        if width < _SMOOTH:
            near |= np.abs(grid.bins - rate.imag) <= 4.0 * width + 8.0
    places = np.flatnonzero(near)
    if len(places) == 0:
        return []
    return list(np.split(places, np.flatnonzero(np.diff(grid.bins[places]) > _REACH) + 1))


def _whitening(spectrum: _Array) -> NDArray[np.complex128]:
    """L⁻¹ of S = L L†, shape (n, c, c), from the entries of S."""
    if len(spectrum) == 1:
        root = 1.0 / np.sqrt(spectrum[0])
        return np.asarray(root[:, None, None], dtype=np.complex128)
    matrix = np.empty((spectrum.shape[1], 2, 2), dtype=np.complex128)
    matrix[:, 0, 0], matrix[:, 1, 1] = spectrum[0], spectrum[1]
    matrix[:, 1, 0] = spectrum[2] - 1j * spectrum[3]
    matrix[:, 0, 1] = matrix[:, 1, 0].conj()
    return np.asarray(np.linalg.inv(np.linalg.cholesky(matrix)), dtype=np.complex128)


def _exact(
    problem: SpectralProblem,
    motion: _Motion,
    run: NDArray[np.intp],
    whitening: NDArray[np.complex128],
    jacobian: _Array,
) -> _Array:
    """Σ_m (1−|m|/K) Σ_l K_kl j_l over the bins of a run."""
    grid, information = problem.grid, problem.information
    bins = grid.bins[run]
    whole = np.arange(bins[0], bins[-1] + 1)
    held = bins - bins[0]
    correlations = Correlations(grid, whole, motion.modes, motion.noise)
    step, averages = grid.taper.length - information.overlap, information.equivalent
    slowest = -float(motion.modes.rates.real.max()) * step
    most = min(_MOST_LAGS, math.ceil(averages) - 1)
    most = min(most, math.ceil(0.5 * math.log(1.0 / _FAINT) / slowest + grid.taper.length / step))
    # Whitening both sides of Γ is whitening what it acts on and what comes out.
    turned = whitening.conj().swapaxes(-1, -2) @ _matrices(jacobian) @ whitening
    moved = np.zeros_like(turned)
    for lag in range(most + 1):
        share = 1.0 if lag == 0 else 2.0 * (1.0 - lag / averages)
        between = correlations.between(lag * step)
        if len(held) < len(whole):
            between = between[np.ix_(held, held)]
        _seen(between, turned, _REACH, share, moved)
    return _entries(whitening @ moved @ whitening.conj().swapaxes(-1, -2))
