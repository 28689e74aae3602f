"""What an experiment with given particles and light would see, as JSON values."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from ..models.array import TrapArray
from ..models.detection import (
    cold_damping_occupation,
    imprecision_psd,
    optimal_cold_damping,
    quantum_length,
)
from ..models.errors import InputError
from ..models.gas import Gas
from ..models.oscillators import oscillator_drift, oscillator_model
from ..models.pair import PairConstants
from ..theory.quantum.conditional import conditional_steady_state
from ..theory.quantum.entanglement import occupation
from ..theory.quantum.homodyne import HomodyneDetection, joint_detection, local_detection
from ..theory.quantum.modulated import (
    conditional_differential_variance,
    modulation_thresholds,
)
from ..theory.quantum.recoil_rule import efficiency_needed
from ..theory.quantum.separability import Separability, locc_sufficient, separability
from ..theory.quantum.squeezed_light import decibels, squeezing_needed

__all__ = ["least_occupations", "prediction_of"]

# Rounding of the equilibrium leaves couplings of this share of the recoil where there are none.
_NOTHING = 1e-12


def prediction_of(
    trap: TrapArray, at: Literal["equilibrium", "focus"], efficiency: float
) -> dict[str, Any]:
    """Predict a pair; rates in rad/s or 1/s, pressures in Pa, lengths in m.

    Parameters
    ----------
    trap : TrapArray
        One particle, of which there is less to say, or more; the first two are meant.
    at : {"equilibrium", "focus"}
        Where they are.
    efficiency : float
        Detection efficiency η, 1e-6 … 1.

    Returns
    -------
    dict
        ``at, efficiency, particles``, and of a pair ``modes, exceptional_points,
        saturation_occupation, entanglement, modulated_phase``, None for one particle.

    Raises
    ------
    NotTrappedError
        If a particle is not held.
    """
    of_pair = ("modes", "exceptional_points", "saturation_occupation", "entanglement")
    values: dict[str, Any] = {"at": at, "efficiency": efficiency}
    if len(trap.spheres) < 2:
        single = _alone(trap, at)
        alone = [_particle(trap, single, 0, efficiency, least_occupations(single, efficiency))]
        return {**values, "particles": alone, **dict.fromkeys((*of_pair, "modulated_phase"))}
    pair = trap.pair_constants(at).constants
    far = _far_field_rate(trap, pair, at)
    damped = abs(pair.g_a) > _NOTHING * (pair.D11 + pair.D22)
    least = least_occupations(pair, efficiency)
    return {
        **values,
        "particles": [_particle(trap, pair, j, efficiency, least) for j in (0, 1)],
        "modes": _modes(pair),
        "exceptional_points": _exceptional_points(pair),
        "saturation_occupation": pair.saturation_occupation() if damped else None,
        "entanglement": _entanglement(pair),
        "modulated_phase": None if far is None else _modulated(pair, far, efficiency),
    }


def _alone(trap: TrapArray, at: Literal["equilibrium", "focus"]) -> PairConstants:
    """Constants of the only particle, beside an equal one that it does not feel."""
    parts = trap.coefficients(at)
    recoil = float(parts.rates[0, 0].real)
    gas, thermal = float(parts.gamma[0]), float(parts.thermal_occupation)
    return PairConstants(
        omega=float(parts.omega),
        delta_omega=0.0,
        g_r=0.0,
        g_a=0.0,
        D11=recoil,
        D22=recoil,
        re_D12=0.0,
        gamma=(gas, gas),
        n_thermal=(thermal, thermal),
    )


def _far_field_rate(
    trap: TrapArray, pair: PairConstants, at: Literal["equilibrium", "focus"]
) -> float | None:
    """G/kd, rad/s; None for a pair that is not side by side or whose light does not interfere."""
    try:
        far = trap.far_field(at)
    except InputError:
        return None
    rate = far.G / far.kd
    return rate if abs(rate) > _NOTHING * (pair.D11 + pair.D22) else None


def least_occupations(pair: PairConstants, efficiency: float) -> tuple[float, float]:
    """Occupations of the conditional states, which no cold damping gets below.

    Cold damping acts on a particle's own record: it beats neither the conditional state of the
    particle alone nor that of the pair with both records. Where η is too high for independent
    detection (the light that carries D_12 would be detected), the pair's is that of all light.
    """
    try:
        both = local_detection(pair, efficiency)
    except InputError:
        both = joint_detection(pair, efficiency)
    known = occupation(conditional_steady_state(pair, both))
    alone = []
    for j, recoil in enumerate((pair.D11, pair.D22)):
        pull = -(pair.line_frequencies[j] ** 2) / pair.omega
        drift = oscillator_drift(pair.omega, [[pull]], [pair.gamma[j]])
        own = HomodyneDetection(np.array([[math.sqrt(2.0 * recoil), 0.0]]), np.array([efficiency]))
        model = oscillator_model(drift, [[pair.total_diffusion[j]]])
        alone.append(float(occupation(conditional_steady_state(model, own))[0]))
    return max(alone[0], float(known[0])), max(alone[1], float(known[1]))


def _particle(
    trap: TrapArray,
    pair: PairConstants,
    j: int,
    efficiency: float,
    least: tuple[float, float],
) -> dict[str, Any]:
    """Frequencies, heating, occupations and the pressure at which gas and recoil are equal.

    Quanta are those of the pair's mean frequency, as everywhere in the pair model. The narrow-band
    formula of cold damping promises too much at Γ ≈ ω; the conditional state is its bound.
    """
    sphere, omega = trap.spheres[j], pair.omega
    recoil, gamma = (pair.D11, pair.D22)[j], pair.gamma[j]
    gas = Gas(0.0) if trap.gas is None else trap.gas
    total = pair.total_diffusion[j]
    psd = imprecision_psd(efficiency, recoil)
    damping = optimal_cold_damping(total, psd)
    return {
        "omega": pair.bare_frequencies[j],
        "line": pair.line_frequencies[j],
        "mass": sphere.mass,
        "zero_point_length": quantum_length(sphere.mass, omega) / math.sqrt(2.0),
        "recoil_rate": recoil,
        "gas_rate": gamma * (pair.n_thermal[j] + 0.5),
        "gamma": gamma,
        "thermal_occupation": pair.n_thermal[j],
        "uncooled_occupation": total / gamma - 0.5 if gamma > 0.0 else None,
        "crossover_pressure": gas.crossover_pressure(sphere, omega, recoil),
        "imprecision": psd,
        "optimal_feedback_damping": damping,
        "cooled_occupation": max(cold_damping_occupation(total, damping, psd), least[j]),
        "conditional_occupation": least[j],
    }


def _modes(pair: PairConstants) -> dict[str, float]:
    """Heating of common and differential motion, and how long their noise can tell.

    The rates hold recoil and gas, as a measurement shows them; the difference is in per cent of
    the recoil D_11, as in the Letter.
    """
    total = 0.5 * sum(pair.total_diffusion)
    plus, minus = total + pair.re_D12, total - pair.re_D12
    first, second = pair.line_frequencies
    split = abs(second - first)
    return {
        "heating_common": plus,
        "heating_differential": minus,
        "difference_percent": 100.0 * (plus - minus) / pair.D11,
        "line_splitting": split,
        "correlation_time": 1.0 / split if split > 0.0 else math.inf,
        "growth_rate": pair.to_linear().growth_rate,
    }


def _exceptional_points(pair: PairConstants) -> dict[str, Any]:
    """Where they are in the full dynamics with the true local shifts, and where the pair is.

    ω̃_2² − ω̃_1² = 2ω(δω + s_2 − s_1) is ±4ω√(g_a² − g_r²) there; Eq. (12) is this with the shifts
    of Eq. (9), which do not hold off the focus.
    """
    splitting = pair.exceptional_line_splitting()
    first, second = pair.line_frequencies
    points = None
    if splitting is not None:
        middle, half = pair.shifts[0] - pair.shifts[1], 0.5 * splitting / pair.omega
        points = [middle - half, middle + half]
    return {
        "delta_omega": points,
        "present_delta_omega": pair.delta_omega,
        "symmetry_broken": splitting is not None and abs(second**2 - first**2) < splitting,
    }


def _entanglement(pair: PairConstants) -> dict[str, Any]:
    """Distance from the no-go, and what detection or squeezed light would have to do.

    ``efficiency_needed … efficiency_most`` and ``squeezing_needed_db … squeezing_most_db`` are the
    ranges that lift it; None where it cannot be lifted, for the reason in ``obstacle``.
    """
    result = separability(pair)
    obstacle = _obstacle(result, pair)
    lifted = obstacle is None
    bounded = lifted and result.recoil_least > 0.0
    return {
        "recoil": result.recoil,
        "heating": result.heating,
        "coupling": result.coupling,
        "margin": result.margin,
        "possible": not result.separable,
        "locc_sufficient": locc_sufficient(pair),
        "obstacle": obstacle,
        "efficiency_needed": efficiency_needed(pair) if lifted else None,
        "efficiency_most": 1.0 - result.recoil_least if lifted else None,
        "squeezing_needed_db": decibels(squeezing_needed(pair)) if lifted else None,
        "squeezing_most_db": decibels(result.recoil_least) if bounded else None,
    }


def _obstacle(result: Separability, pair: PairConstants) -> str | None:
    """Why no detection and no squeezed light lifts the no-go; None where they can.

    "coupling": there is none to entangle with; "interference": at |g_a| ≥ |g_r| the light in which
    both particles interfere, which must stay undetected, already heats enough; "gas": the gas does.
    """
    if result.coupling <= _NOTHING * result.heating:
        return "coupling"
    if result.removable or not result.separable:
        return None
    return "interference" if abs(pair.g_a) >= abs(pair.g_r) else "gas"


def _modulated(pair: PairConstants, rate: float, efficiency: float) -> dict[str, Any]:
    """What φ = 2ωt would do with this G/kd at kd = nπ (Eq. (13))."""
    recoil = 0.5 * (pair.D11 + pair.D22)
    gas = 0.5 * sum(pair.total_diffusion) - recoil
    thresholds = modulation_thresholds(recoil, rate, efficiency, gas=gas)
    return {
        "coupling": abs(rate),
        "heating_over_coupling": thresholds.ratio,
        "squeezes": thresholds.squeezes,
        "entangles": thresholds.entangles,
        "entangles_conditionally": thresholds.entangles_conditionally,
        "squeezed_variance": 0.5 * thresholds.ratio,
        "conditional_squeezed_variance": conditional_differential_variance(
            recoil, rate, efficiency, gas=gas
        ),
    }
