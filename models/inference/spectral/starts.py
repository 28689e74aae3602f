"""Start values of a pair fit from the data alone.

Two sources: the lines of the auto spectra with no coupling, and a subspace estimate, in which the
covariance sequence of the band (the inverse transform of the CSD matrix) is read as that of two
damped modes: a block Hankel matrix of rank two gives the 2×2 dynamics in the rotating frame,
ȧ = (iω̃_j − γ_j/2)a_j − i(g_r ± g_a)a_l, and its steady state gives D.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...spectra import CsdEstimate
from ..matrices import pair_matrices
from .lines import Line, find_lines

__all__ = ["channel_lines", "mirrored_starts", "pair_starts"]

_MAX_LAGS = 48
# Gain in log-likelihood of a line where one is expected: two standard deviations.
_FAINT = 2.0


def pair_starts(
    csd: CsdEstimate, weight: float, lines: tuple[list[Line], list[Line]], mass_ratio: float
) -> list[NDArray[np.float64]]:
    """Candidate starts in the order of the pair's parameters, all stable.

    Parameters
    ----------
    csd : CsdEstimate
        The band, two channels.
    weight : float
        K/κ.
    lines : tuple of lists of Line
        Lines of each channel, at least one each.
    mass_ratio : float
        m_2/m_1 for records in metres.
    """
    first, second = lines
    candidates = [_uncoupled(first[0], second[0], first[0], second[0])]
    everything = sorted(first[:2] + second[:2], key=lambda line: line.frequency)
    low, high = everything[0], everything[-1]
    if high.frequency - low.frequency > 0.5 * min(low.width, high.width):
        candidates.append(_uncoupled(low, high, first[0], second[0]))
        candidates.append(_uncoupled(high, low, first[0], second[0]))
    previous = None
    for reach in (3.0, 10.0):
        estimate = _subspace(csd, everything, reach, mass_ratio)
        if estimate is not None and not (
            previous is not None and np.allclose(estimate, previous, rtol=1e-3)
        ):
            candidates.insert(0, estimate)
            previous = estimate
    return [_stable(c, mass_ratio) for c in candidates]


def mirrored_starts(values: NDArray[np.float64], mass_ratio: float) -> list[NDArray[np.float64]]:
    """Starts in other valleys: couplings reversed, and lines exchanged unless far apart."""
    apart = abs(values[1] - values[0])
    near = apart < 10.0 * values[2:4].max() + 4.0 * np.abs(values[4:6]).sum()
    swapped = values[[1, 0, 3, 2, 4, 5, 6, 7, 8, 9, 10]].copy()
    reversed_ = values.copy()
    reversed_[[4, 5]] *= -1.0
    both = swapped.copy()
    both[[4, 5]] *= -1.0
    others = (reversed_, swapped, both) if near else (reversed_,)
    return [_stable(v, mass_ratio) for v in others]


def _uncoupled(one: Line, two: Line, level_1: Line, level_2: Line) -> NDArray[np.float64]:
    """Lines at their places, with each channel's own variance, and no coupling."""
    values = np.zeros(11)
    for j, (line, level) in enumerate(((one, level_1), (two, level_2))):
        values[j] = 2.0 * math.pi * line.frequency
        values[2 + j] = 2.0 * math.pi * line.width
        values[6 + j] = level.area * values[2 + j]
        values[9 + j] = level.floor
    if values[0] == values[1]:
        # Identical uncoupled particles have no unique modes: part them a little.
        values[1] += 0.05 * values[3]
    return values


def _lags(
    csd: CsdEstimate, lines: list[Line], reach: float
) -> tuple[NDArray[np.complex128], float, float] | None:
    """Covariance sequence of the band around the lines: R(mτ), m = 0, 1, …, with τ and f_low."""
    f, df = csd.frequencies, csd.bin_width
    width = max(*(line.width for line in lines), 1.5 * df)
    low = lines[0].frequency - reach * width
    high = lines[-1].frequency + reach * width
    keep = np.flatnonzero((f >= low) & (f <= high))
    n = len(keep)
    if n < 12 or keep[-1] - keep[0] != n - 1 or not np.allclose(np.diff(f[keep]), df, rtol=1e-6):
        return None
    r = np.fft.ifft(csd.matrix[keep], axis=0) * n * df
    # (w⋆w) at the lags m·L/n; beyond a third of the segment little is left.
    count = int(min(0.33 * n, _MAX_LAGS, max(8.0, 1.2 * n * df / width)))
    at = np.rint(np.arange(count) * csd.segment / n).astype(int)
    window = csd.window
    taper = np.array([window[m:] @ window[: csd.segment - m] for m in at])
    return r[:count] * (taper[0] / taper)[:, None, None], 1.0 / (n * df), float(f[keep[0]])


def _subspace(
    csd: CsdEstimate, lines: list[Line], reach: float, mass_ratio: float
) -> NDArray[np.float64] | None:
    """Two modes from the block Hankel matrix of the covariance sequence, or None."""
    sequence = _lags(csd, lines, reach)
    if sequence is None or len(sequence[0]) < 6:
        return None
    r, tau, low = sequence
    # Channels on one scale, the white floor (lag 0) left out.
    scale = np.sqrt(np.abs(np.einsum("mjj->mj", r[1:3]).mean(axis=0)) + 1e-300)
    r = r / np.outer(scale, scale)
    rows = (len(r) - 1) // 2
    hankel = np.block([[r[1 + i + j] for j in range(rows)] for i in range(rows)])
    u, s, vh = np.linalg.svd(hankel)
    if not s[1] > 0.0:
        return None
    observe = u[:, :2] * np.sqrt(s[:2])
    step = np.linalg.lstsq(observe[:-2], observe[2:], rcond=None)[0]
    control = np.sqrt(s[:2])[:, None] * vh[:2, :2]
    seen = observe[:2]
    if abs(np.linalg.det(seen)) < 1e-12 or abs(np.linalg.det(step)) < 1e-12:
        return None
    factors, modes = np.linalg.eig(step)
    # The band is the circle of frequencies: angles count from its lower edge, 0 … 2π.
    rates = (np.log(np.abs(factors)) + 1j * np.mod(np.angle(factors), 2.0 * np.pi)) / tau
    modes = seen @ modes
    drift = modes @ np.diag(rates + 2j * np.pi * low) @ np.linalg.inv(modes)
    covariance = seen @ np.linalg.inv(step) @ control
    drift = np.diag(scale) @ drift @ np.diag(1.0 / scale)
    covariance = 0.5 * (covariance + covariance.conj().T) * np.outer(scale, scale)
    return _from_rotating(drift, covariance, lines, csd, mass_ratio)


def _from_rotating(
    drift: NDArray[np.complex128],
    covariance: NDArray[np.complex128],
    lines: list[Line],
    csd: CsdEstimate,
    mass_ratio: float,
) -> NDArray[np.float64] | None:
    """Parameters from the 2×2 drift and steady state in the rotating frame."""
    noise = -(drift @ covariance + covariance @ drift.conj().T)
    frequencies = drift.imag.diagonal() / (2.0 * np.pi)
    if not np.isfinite(drift).all() or frequencies.min() <= 0.0:
        return None
    width = 2.0 * np.pi * max(min(line.width for line in lines), 0.1 * csd.bin_width)
    gamma = np.maximum(-2.0 * drift.real.diagonal(), 0.2 * width)
    diffusion = np.maximum(noise.real.diagonal(), 0.1 * gamma * covariance.real.diagonal())
    if diffusion.min() <= 0.0:
        return None
    plus = -drift[0, 1].imag / math.sqrt(mass_ratio)
    minus = -drift[1, 0].imag * math.sqrt(mass_ratio)
    limit = 0.9 * math.sqrt(float(diffusion.prod()))
    cross = float(np.clip(noise[0, 1].real, -limit, limit))
    autos = csd.matrix[:, [0, 1], [0, 1]].real
    floors = np.maximum(np.quantile(autos, 0.05, axis=0), 1e-6 * autos.max(axis=0))
    return np.array(
        [*(2.0 * np.pi * frequencies), *gamma, 0.5 * (plus + minus), 0.5 * (plus - minus),
         *diffusion, cross, *floors]
    )  # fmt: skip


def _stable(values: NDArray[np.float64], mass_ratio: float) -> NDArray[np.float64]:
    """Weaken the couplings until the start decays."""
    values = values.copy()
    for _ in range(60):
        rates = np.linalg.eigvals(pair_matrices(values, mass_ratio).drift)
        if rates.real.max() < -0.02 * values[2:4].min():
            return values
        values[4:6] *= 0.8
    values[4:6] = 0.0
    return values


def channel_lines(csd: CsdEstimate, weight: float, count: int) -> list[list[Line]]:
    """Lines of every channel's auto spectrum; a faint one counts where another channel has one."""
    autos = [csd.matrix[:, j, j].real for j in range(csd.channels)]
    found = [find_lines(csd.frequencies, auto, weight, count=count) for auto in autos]
    if not any(found):
        return found
    return [
        lines or find_lines(csd.frequencies, auto, weight, count=1, threshold=_FAINT)
        for lines, auto in zip(found, autos, strict=True)
    ]
