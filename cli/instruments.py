"""``optobind instruments``: which drivers there are, and whether those of a rig work here."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..config.build import require_one_world
from ..config.knobs import NamedTable, make_named, named_options, named_tables
from ..config.live import device_options, guarded, make_real_device, real_devices
from ..config.load import LoadedRig, read_rig
from ..instruments.availability import availability
from ..instruments.catalogue import DriverSpec, Family, drivers, find_driver
from ..instruments.knob_protocol import SensorLimits
from ..models.errors import DeviceError, InputError, OptobindError
from ..models.prefixes import engineering
from .output import print_json, print_result

__all__ = ["DeviceCheck", "check_devices", "check_rig", "identify_rig", "list_drivers"]


_CONNECTING_SECONDS = 20.0  # of a driver that begins with a long talk


@dataclass(frozen=True)
class DeviceCheck:
    """What was found out about one device of a rig.

    Attributes
    ----------
    family, driver : str
        Which device.
    ok : bool
        Whether it can be used.
    detail : str
        Identity, or what is wrong and what to do.
    values : tuple of str
        What was read back.
    """

    family: str
    driver: str
    ok: bool
    detail: str
    values: tuple[str, ...] = ()


def list_drivers(as_json: bool) -> None:
    """Print every driver; a broken plugin is listed with what is wrong."""
    rows = [(spec, availability(spec)) for spec in drivers()]
    if as_json:
        print_json({"drivers": [_described(spec, asdict(found)) for spec, found in rows]})
        return
    from rich.table import Table

    table = Table(title="drivers", title_justify="left")
    for column in ("family", "driver", "devices", "extra", "installed", "exercised on"):
        table.add_column(column)
    notes = []
    for spec, found in rows:
        state = "yes" if found.usable else "no"
        cells = (spec.family, spec.name, spec.summary, spec.extra or "", state, spec.exercised)
        table.add_row(*cells)
        if not found.usable:
            notes.append(f"{spec.family} {spec.name}: {found.remedy}")
    print_result(table, *notes)


def _described(spec: DriverSpec, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "family": spec.family,
        "driver": spec.name,
        "summary": spec.summary,
        "extra": spec.extra,
        "installed": found["usable"],
        "missing": found["missing"],
        "remedy": found["remedy"],
        "exercised": spec.exercised,
    }


def check_devices(loaded: LoadedRig) -> list[DeviceCheck]:
    """Import the drivers of a rig and make its devices; nothing is connected."""
    found = [_checked(loaded, family) for family in real_devices(loaded.config)]
    return found + [
        _checked_named(family, name, table)
        for family, name, table in named_tables(loaded.config)
        if table.driver != "simulated"
    ]


def _checked_named(family: Literal["knob", "sensor"], name: str, table: NamedTable) -> DeviceCheck:
    """Check a knob or a sensor."""
    known_as, driver = f"{family} {name}", table.driver
    found = availability(find_driver(family, driver))
    if not found.usable:
        return DeviceCheck(known_as, driver, False, found.remedy)
    try:
        device = make_named(family, name, table)
        find_class = getattr(device, "find_class", lambda: None)
        find_class()  # of somebody else's instrument
    except OptobindError as error:
        return DeviceCheck(known_as, driver, False, str(error))
    options = sorted(named_options(family, table).items())
    values = (*_range_of(device), *(f"{key} = {value!r}" for key, value in options))
    return DeviceCheck(known_as, driver, True, "can be imported, options are good", values)


def _checked(loaded: LoadedRig, family: Family) -> DeviceCheck:
    driver = real_devices(loaded.config)[family].driver
    found = availability(find_driver(family, driver))
    if not found.usable:
        return DeviceCheck(family, driver, False, found.remedy)
    try:
        device = make_real_device(loaded.config, family)
        options = device_options(loaded.config, family)
    except OptobindError as error:
        return DeviceCheck(family, driver, False, str(error))
    values = tuple(f"{key} = {value!r}" for key, value in sorted(options.items()))
    if family == "gate":
        values += (guarded(device)[1] or "guarded: closed by a process of its own after a crash",)
    return DeviceCheck(family, driver, True, "can be imported, options are good", values)


def check_rig(rig: str, settings: Sequence[str], as_json: bool) -> int:
    """Check drivers and options of a rig without connecting; return the exit code."""
    loaded = _loaded(rig, settings)
    return _report(loaded.name, "check", check_devices(loaded), as_json)


def _loaded(rig: str, settings: Sequence[str]) -> LoadedRig:
    loaded = read_rig(rig, settings)
    if loaded.config.devices is None:
        raise InputError(f"rig {loaded.name} has no devices: add [devices.digitizer]")
    require_one_world(loaded.name, loaded.config.devices)
    return loaded


def identify_rig(rig: str, settings: Sequence[str], as_json: bool) -> int:
    """Connect to each device of a rig, read it, and disconnect; return the exit code."""
    loaded = _loaded(rig, settings)
    real = real_devices(loaded.config)
    named = list(named_tables(loaded.config))
    if real or any(table.driver != "simulated" for _, _, table in named):
        checks = [_identified_real(loaded, family) for family in real]
        checks += [_identified_named(*entry) for entry in named]
    else:
        from ..config.build import build_rig

        built = build_rig(loaded)
        checks = [
            _identified(family, built.drivers.get(family, ""), device)
            for family, device in built.devices()
        ]
    return _report(loaded.name, "identify", checks, as_json)


def _identified_real(loaded: LoadedRig, family: Family) -> DeviceCheck:
    driver = real_devices(loaded.config)[family].driver
    try:
        device = make_real_device(loaded.config, family)
    except OptobindError as error:
        return DeviceCheck(family, driver, False, str(error))
    return _identified(family, driver, device)


def _identified_named(
    family: Literal["knob", "sensor"], name: str, table: NamedTable
) -> DeviceCheck:
    try:
        device = make_named(family, name, table)
    except OptobindError as error:
        return DeviceCheck(f"{family} {name}", table.driver, False, str(error))
    found: list[DeviceCheck] = []
    thread = threading.Thread(
        target=lambda: found.append(_identified(device.name, table.driver, device)), daemon=True
    )
    thread.start()  # somebody else's driver may hang: it is waited for, but not for ever
    patience = _CONNECTING_SECONDS + 2.0 * table.timeout
    thread.join(patience)
    if found:
        return found[0]
    text = f"{device.name} did not answer within {patience:g} s: check address, cable and power"
    return DeviceCheck(device.name, table.driver, False, text)


def _identified(family: str, driver: str, device: Any) -> DeviceCheck:
    """Connect, read, disconnect; whatever a driver raises is told of this device alone."""
    try:
        identity = device.connect()
        return DeviceCheck(
            family, driver, True, identity, tuple(_READERS[family.split()[0]](device))
        )
    except OptobindError as error:
        return DeviceCheck(family, driver, False, str(error))
    except Exception as error:  # a plugin may raise anything; the other devices are to be tried
        return DeviceCheck(family, driver, False, f"{type(error).__name__}: {error}")
    finally:
        _let_go(device)


def _let_go(device: Any) -> None:
    """Disconnect; what goes wrong then has no bearing on what was found."""
    try:
        device.disconnect()
    except DeviceError:
        return


def _read_digitizer(device: Any) -> list[str]:
    info = device.info
    lines = [f"{info.sample_rate:g} Hz", f"channels {', '.join(info.channels)}", info.dtype]
    return [*lines, *getattr(device, "doubts", ()), *getattr(device, "remarks", ())]


def _read_rf(device: Any) -> list[str]:
    tones = [device.read_tone(channel) for channel in range(device.capabilities.channels)]
    return [
        f"channel {number}: {tone.frequency:.10g} Hz, {tone.amplitude:.4g} V, "
        f"{tone.phase:.5g} rad, {'on' if tone.enabled else 'off'}"
        for number, tone in enumerate(tones, start=1)
    ] + list(getattr(device, "remarks", ()))


def _read_slm(device: Any) -> list[str]:
    limits = device.capabilities
    columns, rows = limits.pixels
    size = [f"{columns} × {rows} pixels"] if columns else []
    return [*size, f"{len(device.read().positions)} spots shown"]


def _read_gauge(device: Any) -> list[str]:
    reading = device.read()
    if reading.pressure is None:
        return [f"no value: {reading.status}"]
    return [f"{reading.pressure:.4g} Pa ({reading.species})"]


def _read_gate(device: Any) -> list[str]:
    return ["closed" if device.read() else "open"]


def _read_pattern(device: Any) -> list[str]:
    limits = device.capabilities
    parts = [f"lines {', '.join(limits.lines)}"]
    if limits.waveforms:
        parts.append(f"waveforms {', '.join(limits.waveforms)}")
    parts.append(f"up to {limits.max_rate:g} Hz")
    if not limits.returns_to_idle:
        parts.append("lines keep their level when the program dies")
    return parts


def _range_of(device: Any) -> list[str]:
    """Range of a knob or a sensor, and how fast a knob may be turned."""
    limits = device.limits
    if isinstance(limits, SensorLimits):
        if not (math.isfinite(limits.low) or math.isfinite(limits.high)):
            return []
        return [f"range {engineering(limits.low, limits.unit)} … "
                f"{engineering(limits.high, limits.unit)}"]  # fmt: skip
    slew = "at once" if math.isinf(limits.slew) else f"{limits.slew:g} {limits.unit}/s at most"
    return [f"range {limits.words(limits.low)} … {limits.words(limits.high)}, {slew}"]


def _read_knob(device: Any) -> list[str]:
    limits, value = device.limits, device.read_value()
    remark = "" if limits.low <= value <= limits.high else ": out of its range"
    return [f"reads {limits.words(value)}{remark}", *_range_of(device)]


def _read_sensor(device: Any) -> list[str]:
    limits, value = device.limits, device.read_value()
    status = limits.judge(value)[1]
    said = f"reads {engineering(value, limits.unit, 6)}"
    return [said if status == "ok" else f"no value: {status} ({said})", *_range_of(device)]


def _read_controller(device: Any) -> list[str]:
    unit, lines = device.capabilities.gain_unit, []
    for loop in range(device.capabilities.loops):
        found = device.read(loop)
        centre = "the line" if found.centre is None else f"{found.centre:.6g} Hz"
        timing = f"delay {found.delay:.4g} s" if found.delay else f"phase {found.phase:.4g} rad"
        lines.append(
            f"loop {loop + 1}: gain {found.gain:.5g} {unit}, {timing}, centre {centre}, bandwidth "
            f"{found.bandwidth:.4g} Hz, {'on' if device.enabled(loop) else 'off'}"
        )
    return lines + list(getattr(device, "remarks", ()))


_READERS: dict[str, Callable[[Any], list[str]]] = {
    "digitizer": _read_digitizer,
    "rf": _read_rf,
    "slm": _read_slm,
    "gauge": _read_gauge,
    "gate": _read_gate,
    "pattern": _read_pattern,
    "knob": _read_knob,
    "sensor": _read_sensor,
    "controller": _read_controller,
}


def _report(name: str, what: str, checks: list[DeviceCheck], as_json: bool) -> int:
    """Print what was found; the exit code is 4 if any device failed."""
    if as_json:
        print_json({"rig": name, "command": what, "devices": [asdict(check) for check in checks]})
    else:
        lines = [f"rig {name}: {len(checks)} devices"]
        if not checks and what == "check":
            lines = [f"rig {name} is simulated: there is nothing to check"]
        for check in checks:
            mark = "ok" if check.ok else "FAILED"
            lines.append(f"{check.family} ({check.driver}): {mark}: {check.detail}")
            lines += [f"  {value}" for value in check.values]
        print_result("\n".join(lines))
    return 0 if all(check.ok for check in checks) else DeviceError.exit_code
