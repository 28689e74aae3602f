"""From the knobs and sensors of a rig's file to their devices, and to the knobs of plans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from ..acquisition.sweeps.knobs import set_rig_knobs
from ..instruments.catalogue import find_driver, make_device
from ..models.errors import InputError
from .hardware_knobs import KnobKeys, SensorKeys, SimulatedKnobTable, SimulatedSensorTable
from .plugins import PluginTable, options_in_si
from .schema import RigConfig

if TYPE_CHECKING:
    from ..instruments.rig import Rig
    from ..instruments.simulated.world import SimulatedWorld

__all__ = [
    "NamedTable",
    "described_knobs",
    "make_known",
    "make_named",
    "named_options",
    "named_tables",
    "with_named",
]

NamedTable = KnobKeys | SensorKeys


def named_tables(
    config: RigConfig,
) -> Iterator[tuple[Literal["knob", "sensor"], str, NamedTable]]:
    """Family, name and table of every knob and sensor of a rig."""
    if config.devices is None:
        return
    for name, knob in config.devices.knobs.items():
        yield "knob", name, knob
    for name, sensor in config.devices.sensors.items():
        yield "sensor", name, sensor


def described_knobs(config: RigConfig) -> dict[str, dict[str, Any]]:
    """What plans have to know of the knobs, as JSON values: SI unit and range, unit as given."""
    found = {}
    for family, name, table in named_tables(config):
        if family == "knob":
            assert isinstance(table, KnobKeys)
            limits = table.limits()
            found[name] = {
                "unit": limits.unit,
                "low": limits.low,
                "high": limits.high,
                "given": limits.scale.unit,
            }
    return found


def make_known(config: RigConfig, label: str) -> None:
    """Make the knobs of a rig known to plans.

    Raises
    ------
    InputError
        For a name that a rig loaded before gave to a knob in another unit.
    """
    try:
        set_rig_knobs(described_knobs(config))
    except InputError as error:
        raise InputError(f"{label}: {error}") from None


def named_options(family: Literal["knob", "sensor"], table: NamedTable) -> dict[str, Any]:
    """Options of a driver in SI, without its limits."""
    options = table.options()
    if isinstance(table, PluginTable):
        units = getattr(find_driver(family, table.driver).load(), "option_units", {})
        return options_in_si(options, units)
    return options


def make_named(
    family: Literal["knob", "sensor"],
    name: str,
    table: NamedTable,
    world: SimulatedWorld | None = None,
) -> Any:
    """Make one knob or sensor; it is not connected.

    Raises
    ------
    InputError
        For an option that the driver refuses.
    DeviceError
        If the driver cannot be loaded.
    """
    known_as = f"{family} {name}"
    if isinstance(table, SimulatedKnobTable | SimulatedSensorTable):
        assert world is not None
        return _simulated(known_as, table, world)
    return make_device(
        family, table.driver, known_as, limits=table.limits(), **named_options(family, table)
    )


def _simulated(
    name: str, table: SimulatedKnobTable | SimulatedSensorTable, world: SimulatedWorld
) -> Any:
    from ..instruments.simulated import knobs as twins

    noise = table.noise or 0.0
    if isinstance(table, SimulatedSensorTable):
        if table.kind == "thermometer":
            return twins.SimulatedThermometer(world, name, table.limits(), noise=noise)
        return twins.SimulatedSensor(
            world, name, table.limits(), value=table.value or 0.0, noise=noise
        )
    limits, lag = table.limits(), table.time_constant
    if table.kind == "valve":
        return twins.SimulatedValve(world, name, limits, time_constant=lag, accuracy=table.accuracy)
    value = min(max(0.0, limits.low), limits.high) if table.value is None else table.value
    return twins.SimulatedKnob(world, name, limits, value=value, time_constant=lag, noise=noise)


def with_named(rig: Rig, config: RigConfig) -> Rig:
    """Return the rig with its knobs and sensors; nothing is connected.

    Raises
    ------
    InputError, DeviceError
        As :func:`make_named`.
    """
    from dataclasses import replace

    made: dict[str, dict[str, Any]] = {"knob": {}, "sensor": {}}
    drivers = dict(rig.drivers)
    world: Any = rig.world
    for family, name, table in named_tables(config):
        device = make_named(family, name, table, world)
        made[family][name], drivers[device.name] = device, table.driver
    return replace(rig, knobs=made["knob"], sensors=made["sensor"], drivers=drivers)
