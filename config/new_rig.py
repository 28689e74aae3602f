"""New rig files with a comment at every key, from a few choices.

What is written passes the check of files: particles, light and gas follow the choices, a simulated
laboratory is complete, and a real one says which lines are yours to fill in. The keys of devices
are those of the schema.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

import tomlkit
from pydantic import BaseModel
from tomlkit.items import Table

from ..models.errors import InputError
from ..models.sphere import MATERIALS
from ..models.units import parse_quantity, split_number
from .commented import add, hint, rows
from .examples import YOURS
from .load import rig_from_dict
from .messages import suggest
from .schema import GasConfig, ParticleConfig, RigConfig, TweezerConfig
from .tables import FAMILIES, drivers_of, quantity_at, shown_default, tag_of, words_of

__all__ = ["RigChoices", "new_rig"]

_MOST = 64
_HOLDS: dict[str, tuple[type[BaseModel], str]] = {
    "radius": (ParticleConfig, "radius"),
    "wavelength": (RigConfig, "wavelength"),
    "power": (TweezerConfig, "power"),
    "waist": (TweezerConfig, "waist_x"),
    "distance": (TweezerConfig, "position"),
    "pressure": (GasConfig, "pressure"),
}


# Whoever drives something of their own finds here how it is called; docs/how-to has all keys.
_OF_YOUR_OWN = """\
Knobs and sensors of your own: what is to be swept, read back and recorded beside the light.

"""
_SIMULATED_KNOBS = """\
[devices.knobs.leak]              # your name for it
driver = "simulated"              # of real devices: pymeasure, qcodes, or one of a plug-in
kind = "valve"                    # generic remembers; a valve sets the pressure of the gas
unit = "mbar"                     # in which it speaks
low = "1e-9 mbar"                 # never set below
high = "1e-3 mbar"                # or above
tolerance = "5 %"                 # of the read-back

[devices.sensors.gas]             # recorded, never set
driver = "simulated"
kind = "thermometer"
unit = "degC"
noise = "0.05 degC"
"""
_REAL_KNOBS = """\
[devices.knobs.coil]              # your name for it
driver = "pymeasure"              # pymeasure, qcodes, or one of a plug-in
instrument = "pymeasure.instruments.keithley:Keithley2400"
address = "GPIB0::24::INSTR"
attribute = "source_current"      # what is set; readback names what is read, where it differs
unit = "mA"                       # in which it speaks
low = "0 mA"                      # never set below
high = "500 mA"                   # or above
slew = "20 mA/s"                  # fastest change
tolerance = "0.5 mA"              # of the read-back

[devices.sensors.room]            # recorded, never set
driver = "pymeasure"
instrument = "pymeasure.instruments.lakeshore:LakeShore211"
address = "ASRL3::INSTR"
attribute = "temperature_celsius"
unit = "degC"
low = "-20 degC"                  # beyond is no reading
high = "60 degC"
"""


@dataclass(frozen=True)
class RigChoices:
    """What a new rig is to be; quantities are texts with units, as in the file.

    Attributes
    ----------
    name : str
        Of the rig.
    particles : int
        As many tweezers, in a row along x.
    radius, material, wavelength, power, waist, distance, pressure : str
        Alike for all of them; ``distance`` is that of neighbours.
    drivers : mapping of str to str
        Drivers of real devices by family, ``control`` of the light; nothing of it for a simulated
        laboratory, otherwise those left out are left out.
    """

    name: str = "my-rig"
    particles: int = 2
    radius: str = "70 nm"
    material: str = "silica"
    wavelength: str = "1064 nm"
    power: str = "200 mW"
    waist: str = "0.75 um"
    distance: str = "3 um"
    pressure: str = "1e-6 mbar"
    drivers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every quantity by the schema of rigs.

        Raises
        ------
        InputError
            Key, allowed range and value.
        """
        if not 1 <= self.particles <= _MOST:
            raise InputError(f"particles must be 1 … {_MOST}, got {self.particles}")
        for key, (table, where) in _HOLDS.items():
            quantity = quantity_at(table.model_fields[where])
            assert quantity is not None
            try:
                parse_quantity(getattr(self, key), quantity)
            except ValueError as error:
                raise InputError(f"{key} {error}") from None


def new_rig(choices: RigChoices) -> str:
    """Write a rig with comments.

    Raises
    ------
    InputError
        For a driver that the family does not have, and for what the schema refuses.
    """
    head = tomlkit.document()
    head.add(tomlkit.comment("A rig for optobind. Check it: optobind config check --all FILE"))
    add(head, "name", choices.name, "in reports and run files")
    add(head, "description", "", "one line for whoever reads the list of rigs")
    add(head, "wavelength", choices.wavelength, "of the trap light, in vacuum")
    head.add("particles", rows(_particle(choices) for _ in range(choices.particles)))
    places = range(choices.particles)
    head.add("tweezers", rows(_tweezer(choices, number) for number in places))
    head.add("gas", _gas(choices))
    head.add("detectors", rows(_detector(choices, number) for number in places))
    devices = tomlkit.table(is_super_table=True)
    for family in FAMILIES:
        table = _device(family, choices)
        if table is not None:
            devices.add(family, table)
    head.add("devices", devices)
    if not choices.drivers:
        head.add("simulation", _simulation())
    text = (
        tomlkit.dumps(head).rstrip("\n")
        + "\n\n"
        + _commented(_OF_YOUR_OWN + (_REAL_KNOBS if choices.drivers else _SIMULATED_KNOBS))
    )
    rig_from_dict(tomlkit.parse(text).unwrap(), "the new rig")
    return text


def _commented(text: str) -> str:
    """Tables that a new file shows and does not have."""
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())


def _particle(choices: RigChoices) -> Table:
    table = tomlkit.table()
    add(table, "radius", choices.radius, "nm, um")
    known = ", ".join(sorted(MATERIALS))
    add(table, "material", choices.material, f"{known}; or density and index")
    add(table, "charge", 0, "in elementary charges")
    hint(table, "measured_frequency", '"55 kHz"', "axial, or [x, y, z]")
    return table


def _tweezer(choices: RigChoices, number: int) -> Table:
    table = tomlkit.table()
    x = _multiple(number, choices.distance) if number else "0 um"
    add(table, "position", [x, "0 um", "0 um"], "x, y, z of the focus")
    add(table, "power", choices.power, "in the focus")
    add(table, "waist_x", choices.waist, "1/e² radius of the intensity along x")
    add(table, "waist_y", choices.waist, "and along y")
    add(table, "phase", "0 rad", "rad or deg; differences count")
    add(table, "polarization", "y", '"x", "y", an angle or a Jones vector; y couples most along x')
    return table


def _multiple(number: int, distance: str) -> str:
    """Write a multiple of a length in its own unit."""
    value, unit = split_number(distance)
    return f"{number * value:.12g} {unit}"


def _gas(choices: RigChoices) -> Table:
    table = tomlkit.table()
    add(table, "pressure", choices.pressure, "mbar, Pa, hPa, torr")
    add(table, "temperature", "293 K", "K, degC")
    add(table, "species", "air", "what damps and what gauges are corrected for")
    return table


def _detector(choices: RigChoices, number: int) -> Table:
    table = tomlkit.table()
    add(table, "channel", number, "of the digitizer, from 0")
    add(table, "particle", number, "counted from 0")
    add(table, "name", f"z{number + 1}", "in files and figures")
    if choices.drivers:
        hint(table, "volts_per_metre", '"5e6 V/m"', "as optobind calibrate finds it")
        hint(table, "polarity", "-1", "+1 unless the sign is turned")
    else:
        add(table, "volts_per_metre", "1e9 V/m", "calibration")
        add(table, "efficiency", 0.3, "of the detection: its imprecision")
    return table


def _simulation() -> Table:
    table = tomlkit.table()
    add(table, "seed", 1, "another one, another run of the same rig")
    add(table, "clock", "auto", '"real-time", "fast", or real-time where somebody watches')
    return table


def _device(family: str, choices: RigChoices) -> Table | None:
    """Write the table of a device with all its keys; those with a default as comments."""
    known = drivers_of(family)
    driver = choices.drivers.get(family, "" if choices.drivers else "simulated")
    if driver not in known:
        if driver == "" or (driver == "simulated" and not choices.drivers):
            return None
        hint = suggest(driver, known)
        raise InputError(
            f"no {tag_of(family)} {driver!r} of {family}{hint}; known: {', '.join(known)}"
        )
    model = known[driver]
    table = tomlkit.table()
    for line in _meaning(model):
        table.add(tomlkit.comment(line))
    add(table, tag_of(family), driver, f"one of {', '.join(known)}")
    _keys(table, model, {**YOURS.get(family, {}), **YOURS.get(f"{family}.{driver}", {})}, choices)
    return table


def _meaning(model: type[BaseModel]) -> list[str]:
    """Sentences of a table's docstring, without the marks of the documentation."""
    text = inspect.getdoc(model) or ""
    return [line for line in text.replace("``", "").splitlines() if line.strip()]


def _keys(
    table: Table, model: type[BaseModel], yours: Mapping[str, object], choices: RigChoices
) -> None:
    """Add the keys of a device: what is yours to fill in, then the others as comments."""
    others = []
    for key, info in model.model_fields.items():
        if key in ("driver", "control"):
            continue
        holds = quantity_at(info)
        units = ", ".join(holds.units) if holds is not None else ""
        if key in yours:
            add(table, key, _for_all(key, yours[key], choices), f"yours: {units}".rstrip(": "))
        elif info.is_required():
            raise InputError(f"a new file has no example of {key} of {model.__name__}")
        elif (value := shown_default(info, holds)) is not None:
            hint(table, key, value, units or words_of(info))
        else:
            others.append(f"{key} ({units or words_of(info)})".replace(" ()", ""))
    if others:
        for line in textwrap.wrap(f"Further keys: {', '.join(others)}.", 96):
            table.add(tomlkit.comment(line))


def _for_all(key: str, value: object, choices: RigChoices) -> object:
    """Inputs of a digitizer: as many as there are particles."""
    if key == "channels" and isinstance(value, list):
        first = value[0]
        if isinstance(first, int):
            return [first + number for number in range(choices.particles)]
        return [str(first)[:-1] + str(number) for number in range(choices.particles)]
    return value
