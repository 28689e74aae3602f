"""What drivers of knobs and sensors share: ranges, units, and answers that are numbers or errors.

A subclass of :class:`KnobDriver` gives ``_open`` and ``_close`` as any driver, and ``_send`` and
``_ask``, which speak the device's own unit. Whatever these raise becomes a ``DeviceError`` of one
line; whatever ``_ask`` returns becomes a number or a ``DeviceError``.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...models.errors import DeviceError, OptobindError
from ...models.shown import one_line
from ...models.unit_scale import UnitScale
from ...models.units import shorten, split_number, to_si
from ..driver import Driver
from ..knob_protocol import KnobLimits, SensorLimits
from ..links.base import LinkError
from ..protocols import DeviceState

__all__ = ["KnobDriver", "SensorDriver", "number_of", "words_of"]

_LONGEST = 160


def words_of(error: BaseException) -> str:
    """Say in one line, not too long, what somebody else's driver raised."""
    said = one_line(error)
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def number_of(answer: Any, scale: UnitScale) -> float:
    """Turn what a driver returned into SI: a number in its unit, or a text with a unit of its own.

    Parameters
    ----------
    answer : object
        A number, a text such as "0.5 V" or "5e-1", an array of one number, something with
        ``magnitude`` and ``units`` (pint).
    scale : UnitScale
        Unit of bare numbers.

    Raises
    ------
    ValueError
        One line: no finite number, or one of another dimension.

    Examples
    --------
    >>> from optobind.models.unit_scale import unit_scale
    >>> [number_of(said, unit_scale("mV")) for said in (500, "500", "0.5 V")]
    [0.5, 0.5, 0.5]
    """
    if hasattr(answer, "magnitude") and hasattr(answer, "units"):
        answer = f"{answer.magnitude} {answer.units}"
    if getattr(answer, "ndim", None) == 0 or getattr(answer, "size", None) == 1:
        answer = answer.item()
    if isinstance(answer, bytes):
        answer = answer.decode("ascii", "replace")
    if isinstance(answer, str):
        number, unit = split_number(answer)
        value = to_si(answer, scale.si) if unit else scale.to_si(number)
    elif isinstance(answer, numbers.Real) and not isinstance(answer, bool):
        value = scale.to_si(float(answer))
    else:
        raise ValueError(f"is no number, got {one_line(shorten(answer))}")
    if not math.isfinite(value):
        raise ValueError(f"is no finite number, got {one_line(shorten(answer))}")
    return value


class _Scalar(Driver):
    """Asks for one number."""

    _scale: UnitScale

    def connect(self) -> str:
        """Open the link and return the identity; writes no setting.

        Raises
        ------
        DeviceError
            Names the device and what is wrong.
        """
        try:
            return super().connect()
        except (OptobindError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit of somebody's driver, too
            raise DeviceError(f"{self._name} cannot be connected: {words_of(error)}") from error

    def read_value(self) -> float:
        """Ask the device (SI).

        Raises
        ------
        DeviceError
            If it does not answer, or its answer is no number.
        """
        with self._calling():
            answer = self._ask()
        try:
            return number_of(answer, self._scale)
        except ValueError as error:
            raise DeviceError(f"{self._name}: its answer {error}") from None

    def _ask(self) -> Any:
        """Ask for the value, in the device's unit."""
        raise NotImplementedError(f"{type(self).__name__} lacks _ask")

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """Call the device: what it says no to is told, what breaks the link leaves it faulted."""
        self._require_link()
        try:
            yield
        except LinkError as error:
            self._break(error)
            raise LinkError(f"{self._name}: {error}") from error
        except OptobindError as error:
            text = str(error)
            raise type(error)(
                text if text.startswith(self._name) else f"{self._name}: {text}"
            ) from error
        except KeyboardInterrupt:
            raise
        except (ValueError, TypeError) as error:  # a value that it does not take; the link stands
            raise DeviceError(f"{self._name}: {words_of(error)}") from error
        except BaseException as error:
            self._break(error)
            raise LinkError(f"{self._name}: {words_of(error)}") from error

    def _break(self, error: BaseException) -> None:
        if self._state is not DeviceState.DISCONNECTED:  # closed meanwhile, from outside
            self._state, self._fault = DeviceState.FAULTED, words_of(error)


class KnobDriver(_Scalar):
    """A knob: see the module for what a subclass gives.

    Parameters
    ----------
    name : str
        Name of the device in the rig, for messages.
    limits : KnobLimits
        Unit, range, slew and tolerance.
    """

    def __init__(self, name: str, limits: KnobLimits) -> None:
        super().__init__(name)
        self._limits, self._scale = limits, limits.scale

    @property
    def limits(self) -> KnobLimits:
        """Unit, range, slew and tolerance."""
        return self._limits

    def set_value(self, value: float) -> None:
        """Send a value (SI).

        Raises
        ------
        InputError
            For a value out of range; nothing has been sent then.
        DeviceError
            If the device refuses it, or does not answer.
        """
        self._require_link()
        checked = self._limits.check(self._name, value)
        with self._calling():
            self._send(self._scale.from_si(checked))

    def _send(self, number: float) -> None:
        """Set the device, in its unit."""
        raise NotImplementedError(f"{type(self).__name__} lacks _send")


class SensorDriver(_Scalar):
    """A sensor: see the module for what a subclass gives.

    Parameters
    ----------
    name : str
        Name of the device in the rig, for messages.
    limits : SensorLimits
        Unit and range.
    """

    def __init__(self, name: str, limits: SensorLimits) -> None:
        super().__init__(name)
        self._limits, self._scale = limits, limits.scale

    @property
    def limits(self) -> SensorLimits:
        """Unit and range."""
        return self._limits
