"""Releases simulated without any code of the package: scipy's expm, quadrature, numpy's draws.

Eq. (7) of the Letter with ω = (ω̃_1 + ω̃_2)/2, written out by hand: ż_j = ωp_j,
ṗ_1 = −(ω̃_1²/ω)z_1 + 2(g_r+g_a)z_2 − γ_1p_1 + f_1, ṗ_2 = … + 2(g_r−g_a)z_1 …, with
⟨f_jf_l⟩ = 2 Re D_jl δ.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, linalg

Array = NDArray[np.float64]

# Constants of the shipped pair with lines 3 kHz apart, quanta; imprecision for η = 0.3.
PAIR = {
    "omega_1": 2 * np.pi * 54.5e3, "omega_2": 2 * np.pi * 51.8e3,
    "g_r": -3.0e3, "g_a": 4.4e3, "D11": 1.75e5, "D22": 1.65e5, "re_D12": 9853.0,
    "n1_0": 30.0, "n2_0": 34.0, "re_C0": 10.0, "im_C0": -6.0,
    "noise_1": 5e-6, "noise_2": 5.3e-6, "gamma_1": 0.0, "gamma_2": 0.0,
}  # fmt: skip
RATE = 2e6


def matrices(values: Mapping[str, float]) -> tuple[Array, Array]:
    """A and N."""
    v = values
    w = 0.5 * (v["omega_1"] + v["omega_2"])
    drift = np.array(
        [
            [0, w, 0, 0],
            [-(v["omega_1"] ** 2) / w, -v["gamma_1"], 2 * (v["g_r"] + v["g_a"]), 0],
            [0, 0, 0, w],
            [2 * (v["g_r"] - v["g_a"]), 0, -(v["omega_2"] ** 2) / w, -v["gamma_2"]],
        ]
    )
    noise = np.zeros((4, 4))
    noise[1, 1], noise[3, 3] = 2 * v["D11"], 2 * v["D22"]
    noise[1, 3] = noise[3, 1] = 2 * v["re_D12"]
    return drift, noise


def step(drift: Array, noise: Array, dt: float) -> tuple[Array, Array]:
    """F by scipy's expm, Q by Simpson's rule over the step."""
    times = np.linspace(0.0, dt, 129)
    flows = linalg.expm(times[:, None, None] * drift)
    kicks = flows @ noise @ flows.swapaxes(1, 2)
    return flows[-1], integrate.simpson(kicks, x=times, axis=0)


def start(values: Mapping[str, float], vacuum: float = 0.5) -> Array:
    """V(0) of circular orbits at nearly equal frequencies: ⟨a_j*a_l⟩ given, ⟨a_ja_l⟩ = 0."""
    first, second = values["n1_0"] + vacuum, values["n2_0"] + vacuum
    re, im = values["re_C0"], values["im_C0"]
    return np.array(
        [[first, 0, re, im], [0, first, -im, re], [re, -im, second, 0], [im, re, 0, second]]
    )


def root(matrix: Array) -> Array:
    """A square root of a covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def releases(
    values: Mapping[str, float],
    repetitions: int,
    samples: int,
    seed: int,
    *,
    rate: float = RATE,
    mixing: Array | None = None,
    common: float = 0.0,
    delay: float = 0.0,
) -> Array:
    """Samples (repetitions, samples, 2); y = T z + noise, channel 2 late by a delay."""
    rng = np.random.default_rng(seed)
    drift, noise = matrices(values)
    # With a delay the motion is followed twice a sample: at the delay before it, and at it.
    pauses = [1 / rate] if not delay else [1 / rate - delay, delay]
    steps = [step(drift, noise, pause) for pause in pauses]
    state = rng.standard_normal((repetitions, 4)) @ root(start(values)).T
    if delay:
        state = state @ linalg.expm(-delay * drift).T
    out = np.empty((repetitions, samples, 2))
    for t in range(samples):
        if delay:
            out[:, t, 1] = state[:, 2]
            state = (
                state @ steps[1][0].T + rng.standard_normal((repetitions, 4)) @ root(steps[1][1]).T
            )
            out[:, t, 0] = state[:, 0]
        else:
            out[:, t] = state[:, [0, 2]]
        kick = rng.standard_normal((repetitions, 4)) @ root(steps[0][1]).T
        state = state @ steps[0][0].T + kick
    if mixing is not None:
        out = out @ mixing.T
    density = np.array([[values["noise_1"], common], [common, values["noise_2"]]])
    return out + rng.standard_normal(out.shape) @ root(0.5 * rate * density).T
