"""Simulated rigs that are not what their files say, from first principles.

Light acts with another phase and at another distance than it was set; powers are unequal; radii,
waists and powers are a few per cent off; knobs move each other; φ drifts; detectors mix. What a fit
finds follows from the equilibria and forces of the particles (never from the law that the planner
fits), with errors drawn of the Fisher information of a cooled spectrum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optobind.models.array import TrapArray
from optobind.models.families import pair_family
from optobind.models.inference.matrices import NAMES
from optobind.models.inference.planning.forecast import Cooling, spectrum_covariance
from optobind.models.inference.seeking.knowledge import Finding
from optobind.models.inference.seeking.steered import Knobs

PAIR = NAMES["pair"]
DAMPING = math.tau * 1e3
ETA, RATE = 0.3, 2e6
FORESEEN = ("g_r", "g_a", "re_D12", "omega_1", "omega_2")


@dataclass
class HiddenRig:
    """A rig with what its file does not say."""

    trap: TrapArray
    phase: float
    distance: float
    imbalance: float
    knobs: NDArray[np.float64]
    mixing: NDArray[np.float64]
    drift: float
    seconds: float
    rng: np.random.Generator

    @classmethod
    def drawn(
        cls, nominal: TrapArray, seed: int, seconds: float = 1.0, **known: float
    ) -> HiddenRig:
        rng = np.random.default_rng(seed)
        radius, waist, power = 1.0 + np.array([0.03, 0.02, 0.03]) * rng.standard_normal(3)
        spheres = tuple(replace(s, radius=s.radius * radius) for s in nominal.spheres)
        tweezers = tuple(
            replace(t, power=t.power * power, waist_x=t.waist_x * waist, waist_y=t.waist_y * waist)
            for t in nominal.tweezers
        )
        knobs = 0.05 * rng.uniform(-1.0, 1.0, (3, 3))
        np.fill_diagonal(knobs, 0.0)
        mixing = np.eye(2) + 0.02 * rng.uniform(-1.0, 1.0, (2, 2)) * (1.0 - np.eye(2))
        return cls(
            replace(nominal, spheres=spheres, tweezers=tweezers),
            known.get("phase", float(rng.uniform(-math.pi, math.pi))),
            known.get("distance", float(rng.uniform(-2e-7, 2e-7))),
            known.get("imbalance", float(rng.uniform(-0.05, 0.05))),
            knobs,
            mixing,
            known.get("drift", 0.01),
            seconds,
            rng,
        )

    def acting(self, set_to: Knobs, origin: Knobs) -> tuple[float, float, float]:
        """φ, d and balance that act."""
        k, scale = self.trap.k, 0.1 / math.pi
        turned = np.array(
            [
                math.remainder(set_to.phi - origin.phi, math.tau),
                k * (set_to.distance - origin.distance),
                (set_to.balance - origin.balance) / scale,
            ]
        )
        phi, kd, balance = self.knobs @ turned
        return (
            set_to.phi + phi + self.phase,
            set_to.distance + kd / k + self.distance,
            set_to.balance + scale * balance + self.imbalance,
        )

    def truth(self, set_to: Knobs, origin: Knobs) -> dict[str, float]:
        """Parameters of a pair fit, without detectors, from first principles."""
        phi, distance, balance = self.acting(set_to, origin)
        family = pair_family(self.trap, phi=[phi], separation=[distance], balance=[balance])
        held = family.coefficients().held
        lines = np.sqrt(held.omegas**2 + 2.0 * held.omega[:, None] * held.shifts)[0]
        q = float(held.omega[0] / lines.mean())
        plus, minus = held.couplings[0, 0, 1], held.couplings[0, 1, 0]
        heating = q * held.rates[0].real
        return {
            "omega_1": float(lines[0]),
            "omega_2": float(lines[1]),
            "g_r": q * 0.5 * float(plus + minus),
            "g_a": q * 0.5 * float(plus - minus),
            "D11": float(heating[0, 0]),
            "D22": float(heating[1, 1]),
            "re_D12": float(heating[0, 1]),
        }

    def measure(self, set_to: Knobs, origin: Knobs) -> Finding | None:
        """What a fit finds; None where the pair grows in spite of feedback."""
        self.phase += self.drift * self.rng.standard_normal()
        true = self.truth(set_to, origin)
        values = {**true, "gamma_1": 1.0, "gamma_2": 1.0}
        values |= {f"noise_{j}": 1.0 / (4.0 * ETA * true[f"D{j}{j}"]) for j in "12"}
        unit = spectrum_covariance(values, Cooling.of(values, DAMPING), RATE)
        if unit is None:
            return None
        full = unit / self.seconds
        rows = [PAIR.index(n) for n in FORESEEN]
        covariance = full[np.ix_(rows, rows)]
        seen = self.through_detectors(true)
        found = self.rng.multivariate_normal([seen[n] for n in FORESEEN], covariance)
        # The loops add force noise to each D_jj.
        added = [0.25 * DAMPING**2 * values[f"noise_{j}"] for j in "12"]
        heating = (seen["D11"] + added[0], seen["D22"] + added[1])
        return Finding(set_to, found, covariance, FORESEEN, heating)

    def through_detectors(self, true: dict[str, float]) -> dict[str, float]:
        """K → TKT⁻¹, D → TDTᵀ."""
        t, mean = self.mixing, 0.5 * (true["omega_1"] + true["omega_2"])
        up, down = true["g_r"] + true["g_a"], true["g_r"] - true["g_a"]
        stiff = np.array(
            [[true["omega_1"] ** 2, -2 * mean * up], [-2 * mean * down, true["omega_2"] ** 2]]
        )
        stiff = t @ stiff @ np.linalg.inv(t)
        heat = np.array([[true["D11"], true["re_D12"]], [true["re_D12"], true["D22"]]])
        heat = t @ heat @ t.T
        lines = np.sqrt(np.diag(stiff))
        own = lines.mean()
        plus, minus = -stiff[0, 1] / (2 * own), -stiff[1, 0] / (2 * own)
        heat = heat * own / mean
        return {
            "omega_1": lines[0], "omega_2": lines[1],
            "g_r": 0.5 * (plus + minus), "g_a": 0.5 * (plus - minus),
            "D11": heat[0, 0], "D22": heat[1, 1], "re_D12": heat[0, 1],
        }  # fmt: skip

    def growth(self, set_to: Knobs, origin: Knobs) -> float:
        """Growth rate of the undamped pair, rad/s."""
        t = self.truth(set_to, origin)
        apart = t["omega_2"] - t["omega_1"]
        square = 4.0 * (t["g_a"] ** 2 - t["g_r"] ** 2) - apart**2
        return 0.5 * math.sqrt(max(square, 0.0))
