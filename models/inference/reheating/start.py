"""Start values of a reheating fit, from the curves alone.

In the rotating wave approximation the curves obey, with g_± = g_r ± g_a and Δ = ω̃_1 − ω̃_2,

    Ė_1 = D_11 − 2g_+ Im C,  Ė_2 = D_22 + 2g_− Im C,  Ċ = iΔC + ig_−E_1 − ig_+E_2 + Re D_12,

linear in the unknown constants: integrated over stretches of the measured curves they are found by
one weighted linear least squares, without iteration and without a guess.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .estimate import ReheatingEstimate
from .moments import reheating_model

__all__ = ["start_values"]

_STRETCHES = 6
_RESOLVED = 0.6  # radians that C may turn between neighbouring windows


def start_values(estimate: ReheatingEstimate) -> dict[str, float]:
    """Return start values of all parameters, gas damping zero.

    Parameters
    ----------
    estimate : ReheatingEstimate
        Averaged curves.
    """
    noise = np.maximum(estimate.noise_floor[:, 0], 0.0)
    omega = estimate.lines
    offset = estimate.layout.noise_gain * noise
    floor = 1e-3 * np.array([estimate.E1.max(), estimate.E2.max()])
    energies = np.maximum(np.stack([estimate.E1, estimate.E2]) - offset[:, None], floor[:, None])
    bins = _resolved_bins(estimate, omega[0] - omega[1])
    rates = _rates(estimate.times[:bins], energies[:, :bins], estimate.C[:bins])
    first = estimate.times[0]
    values = {
        "omega_1": omega[0],
        "omega_2": omega[1],
        "gamma_1": 0.0,
        "gamma_2": 0.0,
        "noise_1": float(noise[0]),
        "noise_2": float(noise[1]),
    }
    slopes = _overall_slopes(estimate.times, energies)
    limit = 0.05 * 0.5 * (omega[0] + omega[1])
    for j in (0, 1):
        name = f"D{j + 1}{j + 1}"
        sane = 0.05 * slopes[j] < rates[name] < 20.0 * slopes[j]
        values[name] = rates[name] if sane else slopes[j]
        begin = energies[j, 0] - estimate.vacuum - values[name] * first
        values[f"n{j + 1}_0"] = float(max(begin, 0.2 * energies[j, 0]))
    plus, minus = (float(np.clip(rates[k], -limit, limit)) for k in ("plus", "minus"))
    values["g_r"], values["g_a"] = 0.5 * (plus + minus), 0.5 * (plus - minus)
    _tame(values, estimate, energies)
    bound = 0.7 * float(np.sqrt(values["D11"] * values["D22"]))
    values["re_D12"] = float(np.clip(rates["re_D12"], -bound, bound))
    cross = estimate.C[0] * np.exp(-1j * (omega[0] - omega[1]) * first) - values["re_D12"] * first
    bound = 0.7 * float(np.sqrt(values["n1_0"] * values["n2_0"]))
    cross *= min(1.0, bound / max(abs(cross), 1e-300))
    values["re_C0"], values["im_C0"] = float(cross.real), float(cross.imag)
    return values


def _tame(
    values: dict[str, float], estimate: ReheatingEstimate, energies: NDArray[np.float64]
) -> None:
    """Shrink couplings that would make the energies grow far beyond what was seen."""
    seen = 0.5 * float(np.log(energies.max() / energies[:, 0].min())) + 0.5
    reach = float(estimate.times[-1])
    for _ in range(40):
        if reheating_model({**values, "re_D12": 0.0}).growth_rate * reach <= seen:
            return
        values["g_r"] *= 0.7
        values["g_a"] *= 0.7


def _resolved_bins(estimate: ReheatingEstimate, splitting: float) -> int:
    """Number of leading windows between which C turns little."""
    gaps = np.diff(estimate.times)
    allowed = max(_RESOLVED / max(abs(splitting), 1e-300), 1.01 * gaps[0])
    wide = np.flatnonzero(gaps > allowed)
    return int(wide[0]) + 1 if len(wide) else len(estimate.times)


def _overall_slopes(
    times: NDArray[np.float64], energies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Positive slopes of the energies over a third of the curve, unit²/s."""
    upto = max(3, len(times) // 3)
    slope = np.polyfit(times[:upto], energies[:, :upto].T, 1)[0]
    return np.asarray(np.maximum(slope, 0.02 * energies[:, :upto].mean(axis=1) / times[upto - 1]))


def _rates(
    times: NDArray[np.float64], energies: NDArray[np.float64], cross: NDArray[np.complex128]
) -> dict[str, float]:
    """Weighted regression of the integrated equations above."""
    stride = max(1, (len(times) - 1) // _STRETCHES)

    def integral(curve: NDArray[np.float64]) -> NDArray[np.float64]:
        summed = np.concatenate(([0.0], np.cumsum(0.5 * (curve[1:] + curve[:-1]) * np.diff(times))))
        return np.asarray(summed[stride:] - summed[:-stride])

    first, second = integral(energies[0]), integral(energies[1])
    real, imag = integral(cross.real), integral(cross.imag)
    tau = times[stride:] - times[:-stride]
    zero = np.zeros_like(tau)
    # Columns D11, D22, Re D12, g_+, g_−, Δ.
    rows = np.concatenate(
        [
            np.stack([tau, zero, zero, -2.0 * imag, zero, zero], 1),
            np.stack([zero, tau, zero, zero, 2.0 * imag, zero], 1),
            np.stack([zero, zero, tau, zero, zero, -imag], 1),
            np.stack([zero, zero, zero, -second, first, real], 1),
        ]
    )
    curves = np.stack([energies[0], energies[1], cross.real, cross.imag])
    steps = (curves[:, stride:] - curves[:, :-stride]).ravel()
    # The increments of a curve scatter like its energy.
    weight = np.tile(1.0 / (0.5 * (first + second) / np.sqrt(tau)), 4)
    scale = np.linalg.norm(rows * weight[:, None], axis=0)
    scale[scale == 0.0] = 1.0
    solution, *_ = np.linalg.lstsq(rows * weight[:, None] / scale, steps * weight, rcond=1e-6)
    names = ("D11", "D22", "re_D12", "plus", "minus", "splitting")
    return dict(zip(names, (float(v) for v in solution / scale), strict=True))
