"""What pressure and rig of a run say of the damping by the gas, before it is fitted.

γ follows from the pressure that was recorded, the temperature and species of the rig's gas, radius
and density (kinetic theory with slip, ``models/gas.py``). Its error is that of the gauge, of the
particle and the scatter of the readings; what the rig does not state is assumed, and said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from ..models.errors import OptobindError
from ..models.inference.digits import measured

if TYPE_CHECKING:
    from ..acquisition.records.record import Record
    from ..acquisition.runfile import RunFile
    from ..config.schema import RigConfig
    from ..models.inference.result import FitResult

__all__ = ["GammaPrior", "fitted_with", "gamma_prior", "with_gamma_prior"]


class _Analysis(Protocol):
    @property
    def result(self) -> FitResult: ...


A = TypeVar("A", bound=_Analysis)
Priors = Mapping[str, tuple[float, float]]

# Relative standard errors where the rig states none: wide-range gauges, radius and density.
_GAUGE = 0.3
_PARTICLE = 0.1
_FAR = 3.0  # standard errors from which the data contradict the gas


@dataclass(frozen=True)
class GammaPrior:
    """Damping by the gas as it is known before a fit.

    Attributes
    ----------
    values : mapping
        Name of a fit's parameter to (value, standard error), rad/s.
    pressure, scatter : float
        Median of the readings, Pa, and their relative scatter.
    gauge, particle : float
        Relative standard errors of the gauge, and of γ by radius and density.
    assumed : tuple of str
        Which of the two the rig does not state.
    """

    values: Mapping[str, tuple[float, float]]
    pressure: float
    scatter: float
    gauge: float
    particle: float
    assumed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "values": {name: list(pair) for name, pair in self.values.items()},
            "pressure": self.pressure,
            "scatter": self.scatter,
            "gauge_error": self.gauge,
            "particle_error": self.particle,
            "assumed": list(self.assumed),
        }

    def words(self) -> str:
        """One line for the reader of a result."""
        hertz = ", ".join(
            f"{name}/2π = {measured(value / math.tau, error / math.tau)} Hz"
            for name, (value, error) in self.values.items()
        )
        errors = [
            f"{name} {100.0 * share:.2g} %{' (assumed)' if name in self.assumed else ''}"
            for name, share in (("gauge", self.gauge), ("particle", self.particle))
        ]
        return (
            f"prior: {hertz}, the gas at {self.pressure:.3g} Pa; errors: {', '.join(errors)}; "
            "--gamma-prior off fits without it"
        )


def gamma_prior(
    record: Record, columns: Sequence[int] | None, kind: Literal["spectrum", "releases"]
) -> GammaPrior | None:
    """Damping by the gas of the particles that are fitted; None where a run does not know it.

    Parameters
    ----------
    record : Record
        Of one run file whose gauge was read; others know no pressure.
    columns : sequence of int, optional
        Channels that are fitted; the usual ones by default.
    kind : {"spectrum", "releases"}
        Of a spectrum with feedback, damping is that of the feedback: no prior.
    """
    if record.kind != "run":
        return None
    from ..acquisition.runfile import RunFile
    from ..config.load import rig_from_dict

    try:
        with RunFile.open(record.path) as run:
            if kind == "spectrum" and _cooled(run):
                return None
            readings = [
                r.value for r in run.slow()
                if r.name == "pressure" and r.status == "ok" and r.value > 0.0
            ]  # fmt: skip
            config = rig_from_dict(run.manifest["config"]["rig"])
    except (OptobindError, KeyError, TypeError, ValueError):
        return None  # another version's rig, or none: nothing is known of its gas
    chosen = tuple(record.usual if columns is None else columns)[:2]
    particles = [_particle_of(config, column) for column in chosen]
    if not readings or config.gas is None or not particles or None in particles:
        return None
    return _of_gas(config, readings, [p for p in particles if p is not None])


def _cooled(run: RunFile) -> bool:
    """Whether feedback acted at some time of a run."""
    from ..acquisition.events import EventKind

    gates = (event for event in run.each_event() if event.kind is EventKind.GATE)
    return any(bool(event.payload.get("closed")) for event in gates)


def _particle_of(config: RigConfig, column: int) -> int | None:
    """Which particle a channel sees."""
    seen = [d.particle for d in config.detectors if d.channel == column]
    return seen[0] if len(seen) == 1 else None


def _of_gas(config: RigConfig, readings: list[float], particles: list[int]) -> GammaPrior:
    """The prior at the median of the readings."""
    from statistics import median, pstdev

    from ..config.build import build_trap

    trap = build_trap(config)
    assert trap.gas is not None
    pressure = float(median(readings))
    gas = replace(trap.gas, pressure=pressure)
    scatter = pstdev(readings) / pressure
    table = None if config.devices is None else config.devices.gauge
    stated = getattr(table, "accuracy", None)
    radii = [config.particles[p].radius_error for p in particles]
    known = [error for error in radii if error is not None]
    particle = max(known) if len(known) == len(radii) else _PARTICLE
    gauge = _GAUGE if stated is None else float(stated)
    assumed = (
        *(("gauge",) if stated is None else ()),
        *(("particle",) if len(known) < len(radii) else ()),
    )
    share = math.sqrt(gauge**2 + particle**2 + scatter**2)
    names = ("gamma",) if len(particles) == 1 else ("gamma_1", "gamma_2")
    values = {
        name: (rate, share * rate)
        for name, p in zip(names, particles, strict=True)
        for rate in [gas.damping_rate(trap.spheres[p])]
    }
    return GammaPrior(values, pressure, scatter, gauge, particle, assumed)


def fitted_with(
    prior: GammaPrior | None, analyse: Callable[[Priors | None], A]
) -> tuple[A, GammaPrior | None, tuple[str, ...]]:
    """Fit with what is known of γ; without it where the data contradict it, and say so.

    Without the prior the data lie (γ̂ − γ_0)/√(σ_0² − σ²) errors off it, γ̂ ± σ the fit with it.

    Returns
    -------
    (analysis, prior, warnings)
        The prior that was used, if any.
    """
    if prior is None:
        return analyse(None), None, ()
    analysis = analyse(prior.values)
    said = []
    for name, (value, error) in prior.values.items():
        found = analysis.result.parameters[name]
        if name not in analysis.result.input.get("priors", {}) or found.stderr is None:
            continue
        off = (found.value - value) / math.sqrt(max(error**2 - found.stderr**2, 1e-6 * error**2))
        if abs(off) > _FAR:
            said.append(
                f"{name} lies {abs(off):.2g} standard errors {'above' if off > 0.0 else 'below'} "
                f"the damping by the gas at {prior.pressure:.3g} Pa, {value / math.tau:.3g} Hz: it "
                "was fitted without that prior; feedback acts, a line drifts, or the pressure is "
                "another"
            )
    if said:
        return analyse(None), None, tuple(said)
    return analysis, prior, ()


def with_gamma_prior(
    result: FitResult, prior: GammaPrior | None, said: Sequence[str] = ()
) -> FitResult:
    """Keep in a result what was known of γ, where its fit used it, or why it did not."""
    if said and result.statistics.get("estimator", "exact") == "exact":
        result = replace(result, warnings=(*said, *result.warnings))
    if prior is None or not set(prior.values) & set(result.input.get("priors", {})):
        return result
    return replace(result, input={**result.input, "gamma_prior": prior.to_dict()})
