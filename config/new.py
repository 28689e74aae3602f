"""New rig and plan files with a comment at every key, from a few choices.

What is written passes the check of files: particles, light and gas follow the choices, a simulated
laboratory is complete, and a real one says which lines are yours to fill in. The keys of devices
and plans are those of their own declarations.
"""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tomlkit.items import AoT, Item, Table

from ..acquisition.plan_keys import PlanKey, keys_of
from ..acquisition.plans import STEPS
from ..models.errors import InputError
from ..models.prefixes import engineering
from ..models.sphere import MATERIALS
from ..models.units import Number, Quantity, parse_quantity, split_number
from .devices import DevicesConfig
from .examples import YOURS
from .fields import quantity_of
from .load import rig_from_dict, shipped_text
from .messages import suggest
from .schema import GasConfig, ParticleConfig, RigConfig, TweezerConfig

__all__ = [
    "FAMILIES",
    "NEW",
    "RigChoices",
    "drivers_of",
    "key_rows",
    "new_plan",
    "new_rig",
    "range_text",
]

FAMILIES = ("digitizer", "gate", "pattern", "slm", "rf", "gauge", "light")
"""Families of devices, in the order of a file."""

NEW = ("rig", *STEPS, "sequence", "sweep")
"""What can be written."""

_WIDTH = 34  # of a line before its comment
_MOST = 64
_HOLDS: dict[str, tuple[type[BaseModel], str]] = {
    "radius": (ParticleConfig, "radius"),
    "wavelength": (RigConfig, "wavelength"),
    "power": (TweezerConfig, "power"),
    "waist": (TweezerConfig, "waist_x"),
    "distance": (TweezerConfig, "position"),
    "pressure": (GasConfig, "pressure"),
}


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
            quantity = quantity_of(_whole(table.model_fields[where]))
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
    _add(head, "name", choices.name, "in reports and run files")
    _add(head, "description", "", "one line for whoever reads the list of rigs")
    _add(head, "wavelength", choices.wavelength, "of the trap light, in vacuum")
    head.add("particles", _rows(_particle(choices) for _ in range(choices.particles)))
    places = range(choices.particles)
    head.add("tweezers", _rows(_tweezer(choices, number) for number in places))
    head.add("gas", _gas(choices))
    head.add("detectors", _rows(_detector(choices, number) for number in places))
    devices = tomlkit.table(is_super_table=True)
    for family in FAMILIES:
        table = _device(family, choices)
        if table is not None:
            devices.add(family, table)
    head.add("devices", devices)
    if not choices.drivers:
        head.add("simulation", _simulation())
    text = tomlkit.dumps(head)
    rig_from_dict(tomlkit.parse(text).unwrap(), "the new rig")
    return text


def _add(table: Any, key: str, value: object, comment: str) -> None:
    """Add a key with its comment."""
    item = tomlkit.item(value)
    if comment:
        item.comment(comment)
        item.trivia.comment_ws = " " * max(2, _WIDTH - len(f"{key} = {item.as_string()}"))
    table.add(key, item)


def _hint(table: Any, key: str, value: str, comment: str) -> None:
    """Add a key as a comment: what holds, or would hold, where it is not given."""
    line = f"{key} = {value}"
    table.add(tomlkit.comment(f"{line:<{_WIDTH - 4}}  # {comment}" if comment else line))


def _rows(tables: Iterable[Table]) -> AoT:
    """Put tables into a list; the comments of the first one hold for all."""
    rows = tomlkit.aot()
    for number, table in enumerate(tables):
        for item in table.values() if number else ():
            if isinstance(item, Item):
                item.trivia.comment = item.trivia.comment_ws = ""
        rows.append(table)
    return rows


def _particle(choices: RigChoices) -> Table:
    table = tomlkit.table()
    _add(table, "radius", choices.radius, "nm, um")
    known = ", ".join(sorted(MATERIALS))
    _add(table, "material", choices.material, f"{known}; or density and index")
    _add(table, "charge", 0, "in elementary charges")
    _hint(table, "measured_frequency", '"55 kHz"', "axial, or [x, y, z]")
    return table


def _tweezer(choices: RigChoices, number: int) -> Table:
    table = tomlkit.table()
    x = _multiple(number, choices.distance) if number else "0 um"
    _add(table, "position", [x, "0 um", "0 um"], "x, y, z of the focus")
    _add(table, "power", choices.power, "in the focus")
    _add(table, "waist_x", choices.waist, "1/e² radius of the intensity along x")
    _add(table, "waist_y", choices.waist, "and along y")
    _add(table, "phase", "0 rad", "rad or deg; differences count")
    _add(table, "polarization", "y", '"x", "y", an angle or a Jones vector; y couples most along x')
    return table


def _multiple(number: int, distance: str) -> str:
    """Write a multiple of a length in its own unit."""
    value, unit = split_number(distance)
    return f"{number * value:.12g} {unit}"


def _gas(choices: RigChoices) -> Table:
    table = tomlkit.table()
    _add(table, "pressure", choices.pressure, "mbar, Pa, hPa, torr")
    _add(table, "temperature", "293 K", "K, degC")
    _add(table, "species", "air", "what damps and what gauges are corrected for")
    return table


def _detector(choices: RigChoices, number: int) -> Table:
    table = tomlkit.table()
    _add(table, "channel", number, "of the digitizer, from 0")
    _add(table, "particle", number, "counted from 0")
    _add(table, "name", f"z{number + 1}", "in files and figures")
    if choices.drivers:
        _hint(table, "volts_per_metre", '"5e6 V/m"', "as optobind calibrate finds it")
        _hint(table, "polarity", "-1", "+1 unless the sign is turned")
    else:
        _add(table, "volts_per_metre", "1e9 V/m", "calibration")
        _add(table, "efficiency", 0.3, "of the detection: its imprecision")
    return table


def _simulation() -> Table:
    table = tomlkit.table()
    _add(table, "seed", 1, "another one, another run of the same rig")
    _add(table, "clock", "auto", '"real-time", "fast", or real-time where somebody watches')
    return table


def _arms(annotation: Any) -> list[type[BaseModel]]:
    """Tables of a family, plugins left out."""
    if get_origin(annotation) is Annotated:
        return _arms(get_args(annotation)[0])
    arms = [arm for part in get_args(annotation) for arm in _arms(part)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if annotation.model_config.get("extra") == "allow" else [annotation]
    return arms


def _tag(family: str) -> str:
    return "control" if family == "light" else "driver"


def drivers_of(family: str) -> dict[str, type[BaseModel]]:
    """Tables of the drivers of a family by the driver's name; of the light, by its control."""
    annotation = DevicesConfig.model_fields[family].annotation
    return {
        str(name): arm
        for arm in _arms(annotation)
        for name in get_args(arm.model_fields[_tag(family)].annotation)
    }


def _device(family: str, choices: RigChoices) -> Table | None:
    """Write the table of a device with all its keys; those with a default as comments."""
    known = drivers_of(family)
    driver = choices.drivers.get(family, "" if choices.drivers else "simulated")
    if driver not in known:
        if driver == "" or (driver == "simulated" and not choices.drivers):
            return None
        hint = suggest(driver, known)
        raise InputError(
            f"no {_tag(family)} {driver!r} of {family}{hint}; known: {', '.join(known)}"
        )
    model = known[driver]
    table = tomlkit.table()
    for line in _meaning(model):
        table.add(tomlkit.comment(line))
    _add(table, _tag(family), driver, f"one of {', '.join(known)}")
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
        holds = quantity_of(_whole(info))
        units = ", ".join(holds.units) if holds is not None else ""
        if key in yours:
            _add(table, key, _for_all(key, yours[key], choices), f"yours: {units}".rstrip(": "))
        elif info.is_required():
            raise InputError(f"a new file has no example of {key} of {model.__name__}")
        elif (value := _shown(info, holds)) is not None:
            _hint(table, key, value, units or _words(info))
        else:
            others.append(f"{key} ({units or _words(info)})".replace(" ()", ""))
    if others:
        for line in textwrap.wrap(f"Further keys: {', '.join(others)}.", 96):
            table.add(tomlkit.comment(line))


def key_rows(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Keys of a table of the schema: name, what it holds, default as a file has it.

    A key without a default is "needed".
    """
    rows = []
    for key, info in model.model_fields.items():
        holds = quantity_of(_whole(info))
        what = _words(info)
        if holds is not None:
            what = f"{holds.describe_range()} ({', '.join(holds.units)})"
        if info.is_required():
            rows.append((key, what or _kind(info), "needed"))
        elif isinstance(info.get_default(call_default_factory=True), BaseModel | tuple):
            rows.append((key, what, ""))
        else:
            rows.append((key, what or _kind(info), _shown(info, holds) or ""))
    return rows


def _kind(info: FieldInfo) -> str:
    """Name of a plain type; nothing for tables and what speaks for itself."""
    names = {bool: "true, false", int: "a whole number", float: "a number", str: "text"}
    return next((names[t] for t in (*get_args(info.annotation), info.annotation) if t in names), "")


def _whole(info: FieldInfo) -> Any:
    """Type of a key with what its own annotation says of it."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _for_all(key: str, value: object, choices: RigChoices) -> object:
    """Inputs of a digitizer: as many as there are particles."""
    if key == "channels" and isinstance(value, list):
        first = value[0]
        if isinstance(first, int):
            return [first + number for number in range(choices.particles)]
        return [str(first)[:-1] + str(number) for number in range(choices.particles)]
    return value


def _shown(info: FieldInfo, holds: Quantity | None) -> str | None:
    """Write a default; None where there is none."""
    default = info.get_default(call_default_factory=True)
    entries = default if isinstance(default, list) else [default]
    if default is None or math.inf in entries:
        return None
    if holds is not None:
        entries = [engineering(float(v), holds.unit).replace("µ", "u") for v in entries]
    return str(tomlkit.item(entries if isinstance(default, list) else entries[0]).as_string())


def _words(info: FieldInfo) -> str:
    """Known words of a key."""
    annotation = info.annotation
    arms = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    words = [str(word) for arm in arms if get_origin(arm) is Literal for word in get_args(arm)]
    return ", ".join(words)


def new_plan(kind: str) -> str:
    """Write a plan with comments: every key with its default, unit and meaning.

    Raises
    ------
    InputError
        For a kind that there is not.
    """
    if kind == "sweep":
        return shipped_text("plans", "sweep-phase")
    document = tomlkit.document()
    document.add(tomlkit.comment("A plan: optobind run FILE --rig RIG; set keys by --set plan.…"))
    if kind == "sequence":
        _add(document, "kind", kind, "steps, one after the other")
        document.add("steps", _rows(_step(tomlkit.table(), name) for name in STEPS))
        return tomlkit.dumps(document)
    if kind not in STEPS:
        raise InputError(f"no plan of kind {kind!r}{suggest(kind, NEW)}; known: {', '.join(NEW)}")
    return tomlkit.dumps(_step(document, kind))


def _step(table: Any, kind: str) -> Any:
    """Add the keys of a kind of plan."""
    _add(table, "kind", kind, "")
    for declared in keys_of(STEPS[kind]):
        for line in _wrapped(declared):
            table.add(tomlkit.comment(line))
        _add(table, declared.name, _file_value(declared), range_text(declared))
    return table


def _wrapped(declared: PlanKey) -> list[str]:
    return textwrap.wrap(f"{declared.title}: {declared.text}", 96)


def _file_value(declared: PlanKey) -> object:
    """A default as a file has it."""
    if declared.default is None:
        return declared.blank
    if isinstance(declared.holds, Quantity):
        return engineering(declared.default, declared.holds.unit).replace("µ", "u")
    return declared.default


def range_text(declared: PlanKey) -> str:
    """Units or words that a key of a plan takes."""
    holds = declared.holds
    if holds is None:
        return "true, false"
    if isinstance(holds, Quantity):
        blank = f', or "{declared.blank}"' if declared.blank else ""
        return f"{', '.join(holds.units)}{blank}"
    if isinstance(holds, Number):
        return f"{holds.low:g} … {holds.high:g}"
    return ", ".join(holds.words)
