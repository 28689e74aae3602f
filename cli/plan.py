"""``optobind plan``: repetitions and times for a wanted significance, of releases or of spectra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError
from ..models.inference.digits import in_hertz
from ..models.inference.parameters import symbol_of
from .output import make_directory, print_json, print_result, progress_bar, write_json

if TYPE_CHECKING:
    from ..analysis.planning import Forecast
    from ..config.load import LoadedRig

__all__ = ["PlanOptions", "plan_reheating", "plan_spectrum"]


@dataclass(frozen=True)
class PlanOptions:
    """Options as they were given, in SI units."""

    parameter: str = "re_D12"
    significance: float = 5.0
    release_time: float = 1e-3
    cool_time: float = 1e-3
    efficiency: float | None = None
    sample_rate: float | None = None
    search: bool = True


def plan_reheating(
    rig: str, settings: Sequence[str], options: PlanOptions, out: Path | None, as_json: bool
) -> None:
    """Forecast a measurement with a rig, print it, store it with its figure."""
    from ..analysis.planning import forecast_reheating
    from ..config.build import build_trap
    from ..config.load import read_rig

    loaded = read_rig(rig, settings)
    trap = build_trap(loaded.config)
    with progress_bar("looking for the best light") as progress:
        forecast = forecast_reheating(
            trap,
            _efficiency(loaded, options),
            _sample_rate(loaded, options),
            parameter=options.parameter,
            significance=options.significance,
            release_time=options.release_time,
            cool_time=options.cool_time,
            damping=_damping(loaded),
            search=options.search,
            progress=progress,
        )
    _deliver(forecast, out, as_json)


def plan_spectrum(
    rig: str, settings: Sequence[str], options: PlanOptions, out: Path | None, as_json: bool
) -> None:
    """Forecast spectra of the cooled pair of a rig, print it, store it with its figure."""
    from ..analysis.spectrum_planning import forecast_spectrum
    from ..config.build import build_trap
    from ..config.load import read_rig

    loaded = read_rig(rig, settings)
    trap = build_trap(loaded.config)
    with progress_bar("looking for the best light") as progress:
        forecast = forecast_spectrum(
            trap,
            _efficiency(loaded, options),
            _sample_rate(loaded, options),
            parameter=options.parameter,
            significance=options.significance,
            damping=_damping(loaded),
            search=options.search,
            progress=progress,
        )
    _deliver(forecast, out, as_json)


def _deliver(forecast: Forecast, out: Path | None, as_json: bool) -> None:
    """Store and print a forecast."""
    values = _values(forecast)
    if out is not None:
        from ..analysis.figures import save_figure
        from ..analysis.figures.planning import planning_figure

        make_directory(out)
        write_json(out / "plan.json", values)
        save_figure(planning_figure(forecast), out / "plan.png")
    if as_json:
        print_json(values)
    else:
        print_result(*_tables(forecast))


def _efficiency(loaded: LoadedRig, options: PlanOptions) -> float:
    """η as given, or the smallest of the rig's out-of-loop detectors."""
    if options.efficiency is not None:
        return options.efficiency
    known = [
        detector.efficiency
        for detector in loaded.config.detectors
        if detector.role == "out_of_loop" and detector.efficiency is not None
    ]
    if not known:
        raise InputError("the rig states no detection efficiency: give it, --efficiency 0.3")
    return min(known)


def _sample_rate(loaded: LoadedRig, options: PlanOptions) -> float:
    """Sample rate as given, or the rig's, Hz."""
    digitizer = None if loaded.config.devices is None else loaded.config.devices.digitizer
    rate = options.sample_rate or getattr(digitizer, "sample_rate", None)
    if rate is None:
        raise InputError("the rig states no sample rate: give it, --rate '2 MHz'")
    return float(rate)


def _damping(loaded: LoadedRig) -> float | None:
    """Γ of the rig's simulated feedback, 1/s; None where the rig does not know it."""
    gate = None if loaded.config.devices is None else loaded.config.devices.gate
    known = getattr(gate, "damping", None)  # Γ/2π
    return math.tau * float(min(known)) if known and min(known) > 0.0 else None


def _values(forecast: Forecast) -> dict[str, Any]:
    """JSON values, SI; rates in rad/s."""
    best = forecast.best
    return {
        "parameter": forecast.parameter,
        "value": forecast.value,
        "significance": forecast.significance,
        "estimators": {
            name: {
                "repetitions": one.repetitions,
                "release_time": one.release_time,
                "measuring_time_s": one.measuring_time,
                "stderr": one.stderr,
            }
            for name, one in forecast.estimators.items()
        },
        "best": None if best is None else asdict(best),
        "requires": {
            name: value if math.isfinite(value) else None
            for name, value in asdict(forecast.requires).items()
        },
        "cooling": asdict(forecast.cooling),
        "releases": [list(pair) for pair in forecast.releases],
    }


def _tables(forecast: Forecast) -> list[Any]:
    """Estimators, the best setting, and what must hold."""
    from rich.table import Table

    shown, unit = in_hertz(forecast.value, "rad/s")
    table = Table(
        title=f"{symbol_of(forecast.parameter)}/2π = {shown:.4g} {unit} at "
        f"{forecast.significance:g} standard errors",
        title_justify="left",
    )
    table.add_column("estimator")
    for head in ("repetitions", "release", "measuring time", "error/2π"):
        table.add_column(head, justify="right")
    for name, one in sorted(forecast.estimators.items(), key=lambda item: item[1].measuring_time):
        error = in_hertz(one.stderr, "rad/s")[0]
        table.add_row(
            name.replace("_", " "),
            "–" if one.repetitions is None else str(one.repetitions),
            "–" if one.release_time is None else f"{1e3 * one.release_time:g} ms",
            f"{one.measuring_time:.3g} s",
            f"{error:.3g} {unit}",
        )
    needs = Table(title="each is a tenth of the value", title_justify="left", show_header=False)
    for _ in range(2):
        needs.add_column()
    for name, text in _needs(forecast).items():
        needs.add_row(name, text)
    parts: list[Any] = [table]
    if forecast.best is not None:
        best = forecast.best
        releases = (
            "" if best.release_time is None else f", releases of {1e3 * best.release_time:g} ms"
        )
        parts.append(
            f"least time: φ = {best.phi / math.pi:+.2f} π, distance {1e6 * best.distance:.3f} µm"
            f"{releases}: {best.measuring_time:.3g} s"
        )
    occupations = ", ".join(f"{n:.3g}" for n in forecast.cooling.occupations)
    when = " before each release" if forecast.releases else ", feedback on"
    parts.append(f"cooled to {occupations} quanta{when}")
    return [*parts, needs]


def _needs(forecast: Forecast) -> dict[str, str]:
    """Requirements in words; what has no influence is left out."""
    needs = forecast.requires
    found = {
        "cross-talk of the detectors": f"{100.0 * needs.cross_talk:.2g} %",
        "drift of the phase": f"{needs.phase_drift:.2g} rad",
        "error of the calibration": f"{100.0 * needs.calibration:.2g} %",
        "differential intensity noise": f"{10.0 * math.log10(needs.rin):.4g} dB/Hz"
        if math.isfinite(needs.rin)
        else "inf",
    }
    return {name: text for name, text in found.items() if "inf" not in text}
