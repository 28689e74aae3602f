"""What pressure and rig of a run say of the damping by the gas, before it is fitted.

γ follows from the pressure that was recorded, the temperature and species of the rig's gas, radius
and mass (kinetic theory with slip, ``models/gas.py``). Its error is that of the gauge, of the
particle and the scatter of the readings; what the rig does not state is assumed, and said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, pstdev
from typing import Any, Literal

from ..acquisition.events import EventKind
from ..acquisition.records.record import Record
from ..acquisition.runfile import RunFile
from ..models.errors import OptobindError
from ..models.gas import Gas
from ..models.inference.digits import measured
from ..models.inference.result import FitResult
from ..models.sphere import Sphere

__all__ = ["GasPrior", "fitted_with_gas", "gas_prior"]

Priors = Mapping[str, tuple[float, float]]

# Relative standard errors where the rig states none: wide-range gauges, radius, density.
_GAUGE, _RADIUS, _DENSITY = 0.3, 0.1, 0.05
_FAR = 3.0  # standard errors from which the data contradict the gas


@dataclass(frozen=True)
class GasPrior:
    """Damping by the gas as it is known before a fit.

    Attributes
    ----------
    values : mapping
        Name of a fit's parameter to (value, standard error), rad/s.
    pressure, scatter : float
        Median of the readings, Pa, and their relative scatter; or what the rig states, and 0.
    errors : mapping
        Relative standard errors of γ by pressure ("gauge" or "rig"), "radius" and "density".
    assumed : tuple of str
        Which of them the rig does not state.
    """

    values: Priors
    pressure: float
    scatter: float
    errors: Mapping[str, float]
    assumed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "values": {name: list(pair) for name, pair in self.values.items()},
            "pressure": self.pressure,
            "scatter": self.scatter,
            "errors": dict(self.errors),
            "assumed": list(self.assumed),
            "words": self.words(),
        }

    def words(self) -> str:
        """One line for the reader of a result."""
        hertz = ", ".join(
            f"{name}/2π = {measured(value / math.tau, error / math.tau)} Hz"
            for name, (value, error) in self.values.items()
        )
        errors = ", ".join(
            f"{name} {100.0 * share:.2g} %{' (assumed)' if name in self.assumed else ''}"
            for name, share in self.errors.items()
        )
        return (
            f"prior: {hertz}, the gas at {self.pressure:.3g} Pa; errors: {errors}; "
            "--gamma-prior off fits without it"
        )


def gas_prior(
    record: Record, columns: Sequence[int], kind: Literal["spectrum", "releases"]
) -> GasPrior | None:
    """Damping by the gas of the particles that are fitted; None where a record does not know it.

    Parameters
    ----------
    record : Record
        Of one run file whose gauge was read, or whose rig states a pressure with its error; others
        know no pressure.
    columns : sequence of int
        Channels that are fitted, one or two.
    kind : {"spectrum", "releases"}
        Of a spectrum with feedback, damping is that of the feedback: no prior.
    """
    if record.kind != "run":
        return None
    try:
        with RunFile.open(record.path) as run:
            config, detectors = run.manifest["config"], run.manifest["detectors"]
            known, masses = config.get("gas"), config.get("masses")
            if not known or not masses or (kind == "spectrum" and _cooled(run)):
                return None
            readings = [
                r.value for r in run.slow()
                if r.name == "pressure" and r.status == "ok" and r.value > 0.0
            ]  # fmt: skip
        particles = [_particle_of(detectors, column) for column in columns]
        return _of_gas(known, masses, readings, [p for p in particles if p is not None], columns)
    except (OptobindError, LookupError, TypeError, ValueError, AttributeError):
        return None  # a file of another hand: nothing is known of its gas


def _cooled(run: RunFile) -> bool:
    """Whether feedback acted at some time of a run."""
    gates = (event for event in run.each_event() if event.kind is EventKind.GATE)
    return any(bool(event.payload.get("closed")) for event in gates)


def _particle_of(detectors: Sequence[Mapping[str, Any]], column: int) -> int | None:
    """Which particle a channel sees."""
    seen = [d.get("particle") for d in detectors if d.get("channel") == column]
    return seen[0] if len(seen) == 1 else None


def _of_gas(
    known: Mapping[str, Any],
    masses: Sequence[float],
    readings: Sequence[float],
    particles: Sequence[int],
    columns: Sequence[int],
) -> GasPrior | None:
    """The prior at the median of the readings, or at the pressure that the rig vouches for."""
    source, pressure, scatter, stated = "gauge", 0.0, 0.0, known["gauge_error"]
    if readings:
        pressure = float(median(readings))
        scatter = pstdev(readings) / pressure
    elif known["pressure_error"] is not None:
        source, pressure, stated = "rig", known["pressure"], known["pressure_error"]
    if pressure <= 0.0 or not particles or len(particles) < len(columns):
        return None
    errors, assumed = {}, []
    for name, error, default in (
        (source, stated, _GAUGE),
        ("radius", _largest(known["radius_errors"], particles), _RADIUS),
        ("density", _largest(known["density_errors"], particles), _DENSITY),
    ):
        errors[name] = default if error is None else float(error)
        if error is None:
            assumed.append(name)
    gas = Gas(pressure, known["temperature"], known["species"])
    # In the molecular regime γ ∝ p/(ρR): relative errors of all three are those of γ.
    share = math.sqrt(sum(error**2 for error in errors.values()) + scatter**2)
    names = ("gamma",) if len(particles) == 1 else ("gamma_1", "gamma_2")
    values = {}
    for name, p in zip(names, particles, strict=True):
        radius = known["radii"][p]
        sphere = Sphere(radius, masses[p] / (4.0 / 3.0 * math.pi * radius**3))
        rate = gas.damping_rate(sphere)
        values[name] = (rate, share * rate)
    return GasPrior(values, pressure, scatter, errors, tuple(assumed))


def _largest(errors: Sequence[float | None], particles: Sequence[int]) -> float | None:
    """Largest stated error of some particles; None if one of them has none."""
    chosen = [errors[p] for p in particles]
    known = [error for error in chosen if error is not None]
    return max(known) if len(known) == len(chosen) else None


def fitted_with_gas(
    prior: GasPrior | None,
    given: Priors | None,
    fit: Callable[[Priors | None], FitResult],
) -> FitResult:
    """Fit with what is known of γ; without it where the data contradict it, and say so.

    Without the prior the data lie (γ̂ − γ_0)/√(σ_0² − σ²) errors off it, γ̂ ± σ the fit with it.

    Parameters
    ----------
    prior : GasPrior or None
        What is known of γ.
    given : mapping or None
        Priors that the caller gave; they come before those of the gas.
    fit : callable
        Makes the fit with some priors.
    """
    known = (
        {} if prior is None else {k: v for k, v in prior.values.items() if k not in (given or {})}
    )
    if prior is None or not known:
        return fit(given)
    result = fit({**known, **(given or {})})
    said = _contradictions(result, known, prior.pressure)
    if said:
        result = fit(given)
        return replace(result, warnings=(*said, *result.warnings))
    if not set(known) & set(result.input.get("priors", {})):
        return result  # γ was no parameter of it
    return replace(result, input={**result.input, "gamma_prior": prior.to_dict()})


def _contradictions(result: FitResult, known: Priors, pressure: float) -> tuple[str, ...]:
    """Where the data lie further from the gas than both errors explain."""
    said = []
    for name, (value, error) in known.items():
        found = result.parameters.get(name)
        if found is None or found.stderr is None or name not in result.input.get("priors", {}):
            continue
        off = (found.value - value) / math.sqrt(max(error**2 - found.stderr**2, 1e-6 * error**2))
        if abs(off) > _FAR:
            said.append(
                f"{name} lies {abs(off):.2g} standard errors {'above' if off > 0.0 else 'below'} "
                f"the damping by the gas at {pressure:.3g} Pa, {value / math.tau:.3g} Hz: it "
                "was fitted without that prior; feedback acts, a line drifts, or the pressure is "
                "another"
            )
    return tuple(said)
