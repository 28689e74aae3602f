"""From a validated rig with real devices to their drivers and the control of the light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instruments.catalogue import Family, find_driver, make_device
from ..models.array import TrapArray
from ..models.errors import InputError
from .detectors import calibrated, detector_channels, detector_name, run_record
from .hardware import HardwareTable
from .hardware_controllers import LIMITS, within_limits
from .hardware_digitizers import DigitizerTable
from .hardware_light import (
    AodLight,
    AomKeys,
    AomLight,
    EfficiencyKeys,
    LightTable,
    SlmLight,
    SlmRfLight,
)
from .hardware_patterns import NiPatternTable, with_gate
from .load import LoadedRig
from .plugins import PluginTable, options_in_si
from .schema import RigConfig

if TYPE_CHECKING:
    from ..instruments.control.calibration import AomCalibration, EfficiencyCurve
    from ..instruments.patterns import PatternPlayer
    from ..instruments.protocols import Gate, RFSource, SpotSLM, TweezerControl
    from ..instruments.rig import Rig

__all__ = [
    "build_light",
    "build_live_rig",
    "device_options",
    "guarded",
    "guarded_pair",
    "make_real_device",
    "real_devices",
]

_ORDER: tuple[Family, ...] = ("digitizer", "slm", "rf", "gauge", "gate", "pattern", "controller")


def real_devices(config: RigConfig) -> dict[Family, HardwareTable | PluginTable]:
    """Tables of the real devices of a rig, by family."""
    if config.devices is None:
        return {}
    tables = {family: getattr(config.devices, family) for family in _ORDER}
    return {
        family: table
        for family, table in tables.items()
        if isinstance(table, HardwareTable | PluginTable)
    }


def device_options(config: RigConfig, family: Family) -> dict[str, Any]:
    """Options of a real device in SI, completed by what the rest of the rig says.

    The columns of the digitizer are named after the detectors, the RF source has as many channels
    as the light needs, the SLM its wavelength, and the gauge corrects for the gas of the rig.
    """
    table = real_devices(config)[family]
    options = table.options()
    if family == "controller":  # what the rig allows is no option of the driver
        options = {key: value for key, value in options.items() if key not in LIMITS}
    if isinstance(table, PluginTable):
        units = getattr(find_driver(family, table.driver).load(), "option_units", {})
        return options_in_si(options, units)
    if family == "rf" and config.devices is not None and config.devices.light is not None:
        options.setdefault("channels", _channels_needed(config))
    elif family == "slm":
        options["wavelength"] = config.wavelength
    elif family == "gauge" and config.gas is not None:
        options.setdefault("gas", config.gas.species)
    elif isinstance(table, NiPatternTable):
        options = with_gate(options, real_devices(config).get("gate"))
    elif isinstance(table, DigitizerTable):
        options["names"] = _column_names(config, table.inputs)
    return options


def _channels_needed(config: RigConfig) -> int:
    """RF channels that the light takes."""
    assert config.devices is not None
    light = config.devices.light
    axes = len(light.axes) if isinstance(light, AodLight) else 1
    return axes * len(config.tweezers)


def _column_names(config: RigConfig, channels: list[str]) -> list[str]:
    """Names of the digitizer's columns: those of the detectors, else those of the inputs."""
    known = {detector.channel: detector_name(detector) for detector in config.detectors}
    return [known.get(number, name) for number, name in enumerate(channels)]


def make_real_device(config: RigConfig, family: Family) -> Any:
    """Make one device; it is not connected.

    Raises
    ------
    InputError
        For an option that the driver refuses.
    DeviceError
        If the driver cannot be loaded.
    """
    table = real_devices(config)[family]
    return make_device(family, table.driver, family, **device_options(config, family))


def guarded(gate: Gate) -> tuple[Gate, str]:
    """Put a real gate behind a guardian process.

    Parameters
    ----------
    gate : Gate
        Its driver, not connected.

    Returns
    -------
    gate : Gate
        Guarded, or as it was.
    warning : str
        Why it is not guarded and what that means; empty if it is.
    """
    from ..instruments.guardian.gate import GuardedGate, why_unguarded

    reason = why_unguarded(gate)
    if not reason:
        return GuardedGate(gate), ""
    return gate, (
        f"feedback gate {gate.name} is NOT GUARDED: {reason}; if this program is killed during a "
        "release, feedback stays off until it is switched on by hand"
    )


def guarded_pair(gate: Gate, player: PatternPlayer | None) -> tuple[Gate, Any, str]:
    """Put a real gate and the player that shares its line behind one guardian process.

    Parameters
    ----------
    gate : Gate
        Its driver, not connected.
    player : PatternPlayer or None
        Its driver, not connected. One that cannot end what a lost copy of it has left (it has no
        ``release``, ``rest`` or ``inherit``) stays with this program, and so does one whose gate is
        not guarded.

    Returns
    -------
    gate, player
        Guarded, or as they were.
    warning : str
        As for :func:`guarded`.
    """
    from ..instruments.guardian.gate import GuardedGate, why_unguarded
    from ..instruments.guardian.played import PlayedGate
    from ..instruments.guardian.player import GuardedPlayer

    heir = all(hasattr(player, name) for name in ("release", "rest", "inherit"))
    alone = player is None or not heir or bool(why_unguarded(player))
    if alone or why_unguarded(gate):
        one, warning = guarded(gate)
        return one, player, warning
    assert player is not None
    both = GuardedGate(PlayedGate(gate, player))
    return both, GuardedPlayer(both, player.name), ""


def build_live_rig(loaded: LoadedRig, trap: TrapArray) -> Rig:
    """Make the drivers of a rig and the control of its light; nothing is connected.

    Raises
    ------
    InputError
        If devices and detectors do not go together or an option is refused.
    DeviceError
        If a driver cannot be loaded.
    """
    from ..instruments.rig import Rig as MadeRig

    config = loaded.config
    tables = real_devices(config)
    names = [detector_name(d) for d in sorted(config.detectors, key=lambda d: d.channel)]
    digitizer = tables["digitizer"]
    if isinstance(digitizer, DigitizerTable):
        if len(names) > len(digitizer.channels):
            raise InputError(
                f"rig {loaded.name} has {len(names)} detectors, but its digitizer "
                f"{len(digitizer.channels)} channels: add inputs to devices.digitizer.channels"
            )
        names = _column_names(config, digitizer.inputs)
    made: dict[str, Any] = {family: make_real_device(config, family) for family in tables}
    warnings = []
    if "gate" in made:
        made["gate"], made["pattern"], unguarded = guarded_pair(made["gate"], made.get("pattern"))
        warnings += [unguarded] if unguarded else []
    if "controller" in made:
        limits = {name: getattr(tables["controller"], name) for name in LIMITS}
        made["controller"] = within_limits(made["controller"], limits)
    light = build_light(config, made.get("rf"), made.get("slm"), trap)
    devices = {
        family: {"driver": table.driver, "options": device_options(config, family)}
        for family, table in tables.items()
    }
    scaled = calibrated(config.detectors)
    return MadeRig(
        name=loaded.name,
        mode="LIVE",
        digitizer=made.pop("digitizer"),
        detectors=detector_channels(config.detectors, names),
        trap=trap,
        light=light,
        drivers={family: table.driver for family, table in tables.items()},
        config=run_record(loaded, trap, "LIVE", calibrated=scaled, devices=devices),
        warnings=tuple(warnings),
        **made,
    )


def build_light(
    config: RigConfig, rf: RFSource | None, slm: SpotSLM | None, trap: TrapArray | None = None
) -> TweezerControl | None:
    """Make the control of the light, guarded by slew rates, tolerances and the rig's model.

    Returns
    -------
    TweezerControl or None
        None without ``[devices.light]``.

    Raises
    ------
    InputError
        If a device that the control needs is missing or has too few channels.
    """
    light = None if config.devices is None else config.devices.light
    if light is None:
        return None
    from ..instruments.guard import GuardedLight, LightLimits

    limits = LightLimits(
        power_slew=light.power_slew,
        position_slew=light.position_slew,
        power_tolerance=light.power_tolerance,
        position_tolerance=light.position_tolerance,
        phase_tolerance=light.phase_tolerance,
    )
    return GuardedLight(_control(config, light, rf, slm), limits, trap)


def _control(
    config: RigConfig, light: LightTable, rf: RFSource | None, slm: SpotSLM | None
) -> TweezerControl:
    sites = len(config.tweezers)
    if isinstance(light, SlmLight):
        from ..instruments.control.slm_only import SlmControl

        return SlmControl(
            _needed(slm, "an SLM", light.control),
            light.total_power,
            sites=sites,
            separation_range=(light.separation_range[0], light.separation_range[1]),
            least_power=light.least_power,
        )
    assert isinstance(light, SlmRfLight | AomLight | AodLight)
    source: RFSource = _needed(rf, "an RF source", light.control)
    needed = _channels_needed(config)
    if source.capabilities.channels < needed:
        raise InputError(
            f"devices.rf has {source.capabilities.channels} channels, control "
            f'"{light.control}" of {sites} tweezers needs {needed}'
        )
    if isinstance(light, SlmRfLight):
        return _slm_rf(light, _needed(slm, "an SLM", light.control), source, sites)
    return (
        _aom(config, light, source) if isinstance(light, AomLight) else _aod(config, light, source)
    )


def _needed(device: Any, what: str, control: str) -> Any:
    """Return a device, or say that it is missing."""
    if device is None:
        family = "slm" if "SLM" in what else "rf"
        raise InputError(f'control "{control}" needs {what}: add [devices.{family}]')
    return device


def _curve(light: EfficiencyKeys) -> EfficiencyCurve:
    from ..instruments.control.calibration import SineEfficiency, TabulatedEfficiency

    if light.amplitudes is not None and light.efficiencies is not None:
        return TabulatedEfficiency(tuple(light.amplitudes), tuple(light.efficiencies))
    assert light.full_amplitude is not None
    most = 1.0 if light.efficiency is None else light.efficiency
    return SineEfficiency(light.full_amplitude, most)


def _slm_rf(light: SlmRfLight, slm: SpotSLM, rf: RFSource, sites: int) -> TweezerControl:
    from ..instruments.tweezer_control import SlmRfControl

    return SlmRfControl(
        slm,
        rf,
        _aom_calibrations(light, sites),
        separation_range=(light.separation_range[0], light.separation_range[1]),
        least_power=light.least_power,
    )


def _each(values: list[float], sites: int, key: str) -> list[float]:
    """One value for every site, or one each."""
    if len(values) not in (1, sites):
        raise InputError(
            f"devices.light.{key} holds {len(values)} entries, needs 1 or one for each of the "
            f"{sites} tweezers"
        )
    return values * sites if len(values) == 1 else values


def _aom_calibrations(light: AomKeys, sites: int) -> list[AomCalibration]:
    from ..instruments.control.calibration import AomCalibration

    curve = _curve(light)
    powers = _each(light.site_power, sites, "site_power")
    offsets = _each(light.phase_offset, sites, "phase_offset")
    return [
        AomCalibration(power, curve, light.carrier, light.order, offset, light.passes)
        for power, offset in zip(powers, offsets, strict=True)
    ]


def _aom(config: RigConfig, light: AomLight, rf: RFSource) -> TweezerControl:
    from ..instruments.control.aom_pair import AomControl

    return AomControl(
        rf,
        _aom_calibrations(light, len(config.tweezers)),
        [(t.position[0], t.position[1], t.position[2]) for t in config.tweezers],
        least_power=light.least_power,
        allow_beat=light.allow_beat,
    )


def _aod(config: RigConfig, light: AodLight, rf: RFSource) -> TweezerControl:
    from ..instruments.control.aod import AodControl
    from ..instruments.control.calibration import AodCalibration

    axes = []
    for axis in light.axes:
        if axis.scale is not None:
            axes.append(AodCalibration(axis.centre, axis.scale, axis.axis, axis.order))
            continue
        assert axis.focal_length is not None
        assert axis.acoustic_velocity is not None
        axes.append(
            AodCalibration.of_optics(
                axis.centre,
                config.wavelength,
                axis.focal_length,
                axis.acoustic_velocity,
                axis=axis.axis,
                order=axis.order,
            )
        )
    x, y, z = config.tweezers[0].position
    return AodControl(
        rf,
        axes,
        _curve(light),
        light.site_power,
        sites=len(config.tweezers),
        rest=(x, y, z),
        separation_range=(light.separation_range[0], light.separation_range[1]),
        least_power=light.least_power,
    )
