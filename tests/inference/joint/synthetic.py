"""Results of single fits as a given law would make them, without any record."""

from __future__ import annotations

import numpy as np

from optobind import FitResult, Measured, PairSetting
from optobind.models.inference.joint.law import PairLaw
from optobind.models.inference.joint.seen import SEEN, Motion, mixed
from optobind.models.inference.result import FittedParameter

LAW = PairLaw(1.064e-6, 0.9, 0.1, 0.195)
TRUTH = {
    "G": 1.6e5,
    "kd_0": 0.2,
    "phi_0": 1.1,
    "kappa": 0.95,
    "omega_0": 3.37e5,
    "balance_0": 0.01,
    "omega_slope": 0.5,
}
ERRORS = np.array([100.0, 100.0, 120.0, 120.0, 2500.0, 2500.0, 1200.0])
RATE = TRUTH["G"] / 14.6
LIGHTS = [
    PairSetting(phi + turn, 2.45e-6, (0.2, 0.19)) for phi in (0.4, 1.2) for turn in (0.0, np.pi)
] + [PairSetting(0.4, 2.6e-6, (0.2, 0.19)), PairSetting(-1.0, 2.6e-6, (0.2, 0.19))]


def measured(
    lights: list[PairSetting],
    seed: int | None,
    *,
    truth: dict[str, float] = TRUTH,
    mixing: tuple[float, float] = (0.05, 0.05),
    law: PairLaw = LAW,
    tolerances: tuple[float, float] = (0.008, 0.08),
    errors: np.ndarray = ERRORS,
) -> list[Measured]:
    """One record a light; exact without a seed."""
    rng = np.random.default_rng(seed)
    size = 0.0 if seed is None else 1.0
    departures: dict[tuple[float, ...], np.ndarray] = {}
    found = []
    for number, light in enumerate(lights):
        e = size * departures.setdefault(light.same_light, rng.standard_normal(5))
        own = law.foresee(truth, [light])
        coupling, line = (RATE * t for t in tolerances)
        jitter = size * line / 3.0 * rng.standard_normal(2)
        motion = Motion(
            own.omega_1 + line * e[3] + jitter[0],
            own.omega_2 + line * e[4] + jitter[1],
            own.g_r + coupling * e[0],
            own.g_a + coupling * e[1],
            np.array([1.7e5]),
            np.array([1.65e5]),
            own.re_D12 + coupling * e[2],
        )
        values = mixed(motion, (*mixing, 1.0, 1.0))[0] + size * errors * rng.standard_normal(7)
        names = SEEN[:7]
        table = {
            n: FittedParameter(float(v), float(s), "rad/s")
            for n, v, s in zip(names, values, errors, strict=True)
        }
        result = FitResult("pair", table, names, np.diag(errors**2), {}, {"unit": "quanta"}, True)
        found.append(Measured(light, result, f"record {number}"))
    return found
