"""Tables of drivers that the schema does not describe: those of other packages.

Their options are handed over as they stand in the rig file. A driver that declares
``option_units = {"timeout": "s"}`` gets those options as SI numbers; one that needs ranges as well
calls :func:`option_value` itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, field_validator
from pydantic_core import PydanticCustomError

from ..instruments.catalogue import Family, drivers
from ..models.errors import InputError
from ..models.ranges import require_range
from ..models.units import Quantity, parse_quantity
from .fields import Table
from .messages import PLUGIN

__all__ = [
    "PLUGIN",
    "PluginController",
    "PluginDigitizer",
    "PluginGate",
    "PluginGauge",
    "PluginPattern",
    "PluginRF",
    "PluginSlm",
    "PluginTable",
    "option_value",
    "options_in_si",
]


class PluginTable(Table):
    """A device whose keys only its driver knows."""

    model_config = ConfigDict(extra="allow")
    family: ClassVar[Family]
    simulated: ClassVar[tuple[str, ...]] = ("simulated",)

    driver: str

    @field_validator("driver")
    @classmethod
    def _known(cls, value: str) -> str:
        known = [*cls.simulated, *sorted(spec.name for spec in drivers(cls.family))]
        if value not in known:
            raise PydanticCustomError("unknown_driver", "unknown driver", {"known": known})
        return value

    def options(self) -> dict[str, Any]:
        """Options as they stand in the file."""
        return dict(self.model_extra or {})


class PluginDigitizer(PluginTable):
    """A digitizer."""

    family = "digitizer"
    simulated = ("simulated", "replay")


class PluginRF(PluginTable):
    """An RF source."""

    family = "rf"


class PluginSlm(PluginTable):
    """An SLM."""

    family = "slm"


class PluginGauge(PluginTable):
    """A gauge."""

    family = "gauge"


class PluginGate(PluginTable):
    """A gate."""

    family = "gate"


class PluginPattern(PluginTable):
    """A pattern player."""

    family = "pattern"


class PluginController(PluginTable):
    """A feedback controller; the limits of the rig stand beside its options."""

    family = "controller"

    max_gain: float | None = None
    gain_slew: float | None = None


def option_value(
    name: str, value: object, unit: str, low: float = -math.inf, high: float = math.inf
) -> Any:
    """Turn an option with a unit into an SI number; numbers are taken as SI, lists entry by entry.

    Parameters
    ----------
    name : str
        Name of the option, for messages.
    value : object
        Such as "20 MHz", 2e7 or ["60 MHz", "100 MHz"].
    unit : str
        SI unit, such as "Hz".
    low, high : float
        Allowed range.

    Raises
    ------
    InputError
        For another dimension or a value out of range.
    """
    if isinstance(value, list | tuple):
        return [option_value(name, entry, unit, low, high) for entry in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return require_range(name, value, low, high, unit)
    try:
        return parse_quantity(value, Quantity(unit, low, high, f"1 {unit}", (unit,)))
    except ValueError as error:
        raise InputError(f"{name} {error}") from None


def options_in_si(options: Mapping[str, Any], units: Mapping[str, str]) -> dict[str, Any]:
    """Options with those in SI whose units are declared."""
    return {
        key: option_value(key, value, units[key]) if key in units and value is not None else value
        for key, value in options.items()
    }
