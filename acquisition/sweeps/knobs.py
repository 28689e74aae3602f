"""What a sweep can turn: set-points by name, each with its unit and range.

A knob of the light says how a :class:`TweezerState` follows from a value, and which value a light
that was read back has. :func:`register` takes further ones. A knob that is none of the light (a
valve, a laser, a plug-in device) is moved by the :class:`Actuator` of its name: a session has those
of its rig's ``[devices.knobs]``, which :func:`set_rig_knobs` makes known to plans, and whoever
starts the sweep may hand over others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ...models.errors import InputError
from ...models.light import Site, TweezerState
from ...models.unit_scale import unit_scale
from ...models.units import Quantity

__all__ = [
    "Actuator",
    "Knob",
    "knob_names",
    "knob_of",
    "register",
    "require_new_name",
    "set_rig_knobs",
]

SetLight = Callable[[TweezerState, float], TweezerState]
ReadLight = Callable[[TweezerState], float]


@dataclass(frozen=True)
class Knob:
    """One set-point.

    Attributes
    ----------
    name : str
        As in plans and headers of tables.
    text : str
        What it is.
    holds : Quantity
        Unit and range.
    symbol : str
        In figures.
    set_light : callable or None
        (light, value) → light; None for a knob that is none of the light.
    read_light : callable or None
        Light → value.
    turns : bool
        Whether the value is an angle: read-backs are those nearest to what was set.
    """

    name: str
    text: str
    holds: Quantity
    symbol: str
    set_light: SetLight | None = None
    read_light: ReadLight | None = None
    turns: bool = False

    def read(self, light: TweezerState, near: float) -> float:
        """Value of a light; of an angle the one that is nearest to ``near``."""
        assert self.read_light is not None
        value = self.read_light(light)
        return near + math.remainder(value - near, math.tau) if self.turns else value


class Actuator(Protocol):
    """Moves a knob that is none of the light; calls come from the sweep's thread."""

    @property
    def unit(self) -> str:
        """SI unit of its values."""
        ...

    def check(self, value: float) -> None:
        """Raise InputError for a value that cannot be set; writes nothing."""
        ...

    def move(self, value: float, ended: Callable[[], bool]) -> float:
        """Set a value, wait until it holds, and return what is read back.

        ``ended`` says that the wait is to end. Raises DeviceError if it does not come to hold.
        """
        ...


_PHASE = Quantity("rad", -1e4, 1e4, "0.5 π", ("rad", "π", "deg"), "value")
_LENGTH = Quantity("m", -1e-3, 1e-3, "2.5 um", ("nm", "um"))
_POWER = Quantity("W", 0.0, 100.0, "200 mW", ("mW", "W"))
_DETUNING = Quantity("Hz", -1e9, 1e9, "5 kHz", ("Hz", "kHz", "MHz"))


def _with_distance(light: TweezerState, value: float) -> TweezerState:
    return light.with_pair(separation=value)


def _with_beat(light: TweezerState, value: float) -> TweezerState:
    return light.with_site(1, detuning=light.sites[0].detuning + value)


_PAIR = (
    Knob(
        "phi",
        "Phase φ = φ_1 − φ_2 of a pair",
        _PHASE,
        "φ",
        lambda light, value: light.with_pair(phi=value),
        lambda light: light.relative_phase,
        turns=True,
    ),
    Knob(
        "distance",
        "Distance of the two foci",
        Quantity("m", 1e-8, 1e-3, "2.5 um", ("nm", "um")),
        "d",
        _with_distance,
        lambda light: light.separation,
    ),
    Knob(
        "balance",
        "Power balance (P_2 − P_1)/(P_1 + P_2) of a pair: it sets the mechanical detuning",
        Quantity("", -1.0, 1.0, "0.05", ("%",), "value"),
        "balance",
        lambda light, value: light.with_pair(balance=value),
        lambda light: light.balance,
    ),
    Knob(
        "power",
        "Total power P_1 + P_2 of a pair",
        _POWER,
        "P",
        lambda light, value: light.with_pair(total_power=value),
        lambda light: light.sites[0].power + light.sites[1].power,
    ),
    Knob(
        "detuning",
        "Optical frequency of the second tweezer less that of the first",
        _DETUNING,
        "ν_2 − ν_1",
        _with_beat,
        lambda light: light.sites[1].detuning - light.sites[0].detuning,
    ),
)
_KNOBS: dict[str, Knob] = {knob.name: knob for knob in _PAIR}
_RIGS: dict[str, Knob] = {}  # those of the rigs that were loaded
_SITE = re.compile(r"(power|phase|detuning|x|y|z)_([1-9]\d?)")
_NAME = re.compile(r"[A-Za-z]\w{0,30}", re.ASCII)
_TAKEN = ("pressure", "sample", "time", "point", "kind", "repeat", "seed", "file", "fit")
_OF_SITE: dict[str, tuple[str, Quantity, bool]] = {
    "power": ("Power", _POWER, False),
    "phase": ("Phase", _PHASE, True),
    "detuning": ("Optical frequency relative to the common one", _DETUNING, False),
}


def register(knob: Knob) -> None:
    """Make a knob known to plans.

    Raises
    ------
    InputError
        If its name is taken.
    """
    if knob.name in _KNOBS or knob.name in _RIGS or _SITE.fullmatch(knob.name):
        raise InputError(f"a knob {knob.name} is known already: give this one another name")
    _KNOBS[knob.name] = knob


def require_new_name(name: str) -> None:
    """Refuse a name for a knob of a rig that is no identifier, or one of the light.

    Raises
    ------
    InputError
        Names it and what is allowed.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:40]!r} is no name for a knob or sensor: letters, digits and _, a letter first"
        )
    if name in _KNOBS or _SITE.fullmatch(name) or name in _TAKEN:
        raise InputError(f"{name} has a meaning already: give the knob or sensor another name")


def set_rig_knobs(described: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the knobs of a rig known to plans; those of another rig stay known.

    Parameters
    ----------
    described : mapping
        By name: ``unit`` (SI), ``low`` and ``high``, as run files keep them.

    Raises
    ------
    InputError
        For a name that cannot be used, or one that another rig gave a knob in another unit: a plan
        that was made for that one would be misread.
    """
    made = {}
    for name, entry in described.items():
        require_new_name(name)
        unit, low, high = str(entry["unit"]), float(entry["low"]), float(entry["high"])
        if name in _RIGS and _RIGS[name].holds.unit != unit:
            raise InputError(
                f"knob {name} is in {unit or 'no unit'} here and in "
                f"{_RIGS[name].holds.unit or 'no unit'} in a rig loaded before: give one of them "
                "another name, or restart this program"
            )
        scale = unit_scale(str(entry.get("given") or unit))
        example = f"{scale.from_si(high):g} {scale.unit}".strip()
        known = tuple(dict.fromkeys((scale.unit, unit)))
        holds = Quantity(unit, low, high, example, known, None if unit else "value")
        made[name] = Knob(name, f"Knob {name} of the rig", holds, name)
    _RIGS.update(made)


def knob_names() -> tuple[str, ...]:
    """Names of all knobs; those of a site stand with N for its number."""
    return (
        *_KNOBS,
        *_RIGS,
        *(f"{name}_N" for name in ("power", "phase", "detuning", "x", "y", "z")),
    )


def knob_of(name: str) -> Knob:
    """Return a knob by its name.

    Raises
    ------
    InputError
        Names the known ones.

    Examples
    --------
    >>> knob_of("distance").holds.unit, knob_of("power_2").text
    ('m', 'Power of tweezer 2')
    """
    found = _SITE.fullmatch(name)
    if found is not None:
        return _of_site(name, found[1], int(found[2]))
    found_knob = _KNOBS.get(name) or _RIGS.get(name)
    if found_knob is None:
        raise InputError(
            f"knob {name[:40]!r} is not known; known: {', '.join(knob_names())}, and those of the "
            "rig's [devices.knobs] once it is loaded"
        )
    return found_knob


def _of_site(name: str, what: str, number: int) -> Knob:
    """Knob of one tweezer, counted from 1."""
    index = number - 1

    def site(light: TweezerState) -> Site:
        if number > len(light.sites):
            raise InputError(f"{name}: this rig has tweezers 1 … {len(light.sites)}")
        return light.sites[index]

    if what in _OF_SITE:
        text, holds, turns = _OF_SITE[what]
        return Knob(
            name,
            f"{text} of tweezer {number}",
            holds,
            name,
            lambda light, value: light.with_site(index, **{what: value}) if site(light) else light,
            lambda light: float(getattr(site(light), what)),
            turns,
        )
    axis = "xyz".index(what)

    def moved(light: TweezerState, value: float) -> TweezerState:
        place = list(site(light).position)
        place[axis] = value
        sites = list(light.sites)
        sites[index] = replace(sites[index], position=(place[0], place[1], place[2]))
        return TweezerState(tuple(sites))

    return Knob(
        name,
        f"{what} of tweezer {number}",
        _LENGTH,
        name,
        moved,
        lambda light: site(light).position[axis],
    )
