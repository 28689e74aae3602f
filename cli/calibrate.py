"""``optobind calibrate``: radius, mass and volts per metre from thermal spectra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError
from ..models.inference.digits import measured
from ..models.thermal import Quantity
from .fit import channels_option
from .options import ReadingOptions
from .output import (
    make_directory,
    print_json,
    print_result,
    print_text,
    progress_bar,
    warn,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from ..acquisition.records.record import Record
    from ..analysis.calibration import ChannelCalibration, CrossTalk
    from ..models.array import TrapArray

__all__ = ["CalibrateOptions", "calibrate_files"]

_SHOWN = {"m": (1e9, "nm"), "kg": (1e18, "ag"), "V/m": (1e-6, "V/µm"), "1/s": (1.0, "1/s")}


@dataclass(frozen=True)
class CalibrateOptions:
    """Options as they were given, in SI units."""

    pressures: tuple[float, ...] = ()
    gauge_error: float = 0.1
    temperature_error: float = 1.0
    density_error: float = 0.0
    channels: str | None = None
    band: tuple[float, float] | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    uncoupled: bool = False


def calibrate_files(
    files: Sequence[Path],
    rig: str | None,
    settings: Sequence[str],
    options: CalibrateOptions,
    out: Path | None,
    as_json: bool,
) -> None:
    """Calibrate, print a table and the rig's fragment, store both."""
    from ..acquisition.records.opening import open_record
    from ..analysis.calibration import calibrate

    records = [open_record(file, **asdict(options.reading)) for file in files]
    trap = _trap(files[0], rig, settings)
    gas = trap.gas
    warn(_cooled(files))
    if gas is None:
        raise InputError("the rig states no gas: calibration needs its temperature and species")
    pressures = _pressures(files, options.pressures)
    columns = channels_option(options.channels, records[0]) or records[0].usual
    spheres = [trap.spheres[min(i, len(trap.spheres) - 1)] for i in range(len(columns))]
    with progress_bar("fitting thermal lines") as progress:
        found = calibrate(
            records,
            pressures=pressures,
            density=[sphere.density for sphere in spheres],
            temperature=gas.temperature,
            species=gas.species,
            gauge_error=options.gauge_error,
            temperature_error=options.temperature_error,
            density_error=options.density_error,
            channels=columns,
            band=options.band,
            trap_length=_rayleigh_length(trap),
            progress=progress,
        )
    talk = _cross_talk(records[0], columns, found, options.uncoupled)
    fragment = _fragment(found, columns)
    values = _values(found, talk, fragment)
    warn(dict.fromkeys(text for channel in found for text in channel.calibration.warnings))
    if out is not None:
        make_directory(out)
        write_json(out / "calibration.json", values)
        write_text(out / "calibration.toml", fragment)
    if as_json:
        print_json(values)
        return
    print_result(_table(found))
    for name, share in talk.items():
        print_result(f"{name}: {measured(100 * share.share, 100 * share.stderr)} %")
    print_text("\nto paste into the rig:\n\n" + fragment)


def _trap(file: Path, rig: str | None, settings: Sequence[str]) -> TrapArray:
    """Particles and gas of the named rig, or of the rig that a run file records."""
    from ..config.build import build_trap
    from ..config.load import read_rig, rig_from_dict

    if rig is not None:
        return build_trap(read_rig(rig, settings).config)
    from ..acquisition.runfile import RunFile
    from ..models.errors import FileError

    try:
        with RunFile.open(file) as run:
            document = run.manifest["config"]["rig"]
    except (FileError, KeyError):
        raise InputError(
            f"{file} records no rig: name one with --rig, for density, temperature and gas"
        ) from None
    return build_trap(rig_from_dict(document, str(file)))


def _pressures(files: Sequence[Path], given: Sequence[float]) -> list[float]:
    """Pressure of each file as it was given, or as its gauge told, Pa."""
    if not given:
        return [_recorded_pressure(file) for file in files]
    if len(given) not in (1, len(files)):
        raise InputError(f"{len(files)} files need one --pressure, or one each, got {len(given)}")
    return list(given) * (len(files) if len(given) == 1 else 1)


def _cooled(files: Sequence[Path]) -> list[str]:
    """What is said of run files whose feedback gate was closed: cooled lines are not thermal."""
    from ..acquisition.events import EventKind
    from ..acquisition.runfile import RunFile
    from ..models.errors import FileError

    found = []
    for file in files:
        try:
            with RunFile.open(file) as run:
                gates = (e for e in run.each_event() if e.kind == EventKind.GATE)
                closed = any(event.payload.get("closed") for event in gates)
        except FileError:
            continue
        if closed:
            found.append(
                f"{file} was recorded with the feedback gate closed: what feedback cools is not "
                "thermal, and radius and V/m are wrong unless the loop itself was off"
            )
    return found


def _recorded_pressure(file: Path) -> float:
    """Mean pressure that a run's gauge told, Pa."""
    from ..acquisition.runfile import RunFile
    from ..models.errors import FileError

    try:
        with RunFile.open(file) as run:
            known = [r.value for r in run.slow() if r.name == "pressure" and math.isfinite(r.value)]
    except FileError:
        known = []
    if not known:
        raise InputError(f"{file} records no pressure: give it, such as --pressure '1 mbar'")
    return sum(known) / len(known)


def _rayleigh_length(trap: TrapArray) -> float:
    """Shortest length over which the trap changes along z, m."""
    return min(
        math.pi * tweezer.waist_x * tweezer.waist_y / trap.wavelength for tweezer in trap.tweezers
    )


def _cross_talk(
    record: Record,
    columns: Sequence[int],
    found: Sequence[ChannelCalibration],
    uncoupled: bool,
) -> dict[str, CrossTalk]:
    """Cross-talk both ways, only where the particles are said to be uncoupled."""
    if not uncoupled:
        return {}
    if len(columns) != 2:
        raise InputError(f"--uncoupled needs two channels, chosen are {len(columns)}")
    from ..analysis.calibration import cross_talk, in_volts
    from ..analysis.spectrum import analyse_spectrum

    csd = analyse_spectrum(in_volts(record), model="pair", channels=columns).csd
    shares = {}
    for one, two in ((0, 1), (1, 0)):
        fit = found[one].fits[0]
        line, width = fit.value("omega") / math.tau, fit.value("gamma") / math.tau
        name = f"share of {found[one].name} in {found[two].name}"
        shares[name] = cross_talk(csd.select((one, two)), line, width)
    return shares


def _fragment(found: Sequence[ChannelCalibration], columns: Sequence[int]) -> str:
    """Particles and detectors as a rig file has them."""
    lines = []
    for channel in found:
        radius = channel.calibration.radius
        lines += ["[[particles]]", f'radius = "{1e9 * radius.value:.4g} nm"', ""]
    for particle, (channel, column) in enumerate(zip(found, columns, strict=True)):
        scale = channel.calibration.volts_per_metre
        lines += [
            "[[detectors]]",
            f"channel = {column}",
            f"particle = {particle}",
            f'name = "{channel.name}"',
            f'volts_per_metre = "{scale.value:.5g} V/m"'
            f"  # ± {100.0 * scale.stderr / scale.value:.2g} %",
            "",
        ]
    return "\n".join(lines)


def _table(found: Sequence[ChannelCalibration]) -> Any:
    """Quantities of each channel with both errors."""
    from rich.table import Table

    table = Table(title="calibration by thermal motion", title_justify="left")
    for head in ("channel", "quantity", "value ± error", "statistical", "systematic", "unit"):
        table.add_column(
            head, justify="left" if head in ("channel", "quantity", "unit") else "right"
        )
    for channel in found:
        known = channel.calibration
        for name in ("radius", "mass", "volts_per_metre", "temperature", "heating"):
            quantity: Quantity | None = getattr(known, name)
            if quantity is None:
                continue
            factor, unit = _SHOWN.get(quantity.unit, (1.0, quantity.unit))
            parts = (quantity.statistical, quantity.systematic)
            table.add_row(
                channel.name,
                name,
                measured(factor * quantity.value, factor * quantity.stderr),
                *(f"{factor * part:.2g}" for part in parts),
                unit,
            )
    return table


def _values(
    found: Sequence[ChannelCalibration], talk: dict[str, CrossTalk], fragment: str
) -> dict[str, Any]:
    """JSON values, SI."""
    return {
        "channels": {
            channel.name: {
                **asdict(channel.calibration),
                "pressures": list(channel.pressures),
                "fits": [fit.to_dict() for fit in channel.fits],
            }
            for channel in found
        },
        "cross_talk": {name: asdict(share) for name, share in talk.items()},
        "rig": fragment,
    }
