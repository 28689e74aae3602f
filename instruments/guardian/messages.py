"""What the guardian and the program say to each other, and how errors travel between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ...models.errors import DeviceError, InputError
from ..driver import ReservedError
from ..links.base import LinkError

__all__ = ["BEAT_SECONDS", "MOST_SILENCE", "Answer", "Order", "Report", "error_of", "kind_of"]

BEAT_SECONDS = 0.1
"""Time between two signs of life of the program while the gate is open, s."""

MOST_SILENCE = 0.6
"""Silence after which the guardian closes the gate, s; the gate is to be closed within 1 s."""

Kind = Literal["", "input", "link", "reserved", "device"]
Verb = Literal["connect", "disconnect", "open", "lend", "player", "close", "read", "beat"]


@dataclass(frozen=True)
class Order:
    """From the program: do this. A beat is not answered.

    Attributes
    ----------
    number : int
        Which order it is.
    verb : str
        What is to be done.
    at_most : float
        Time after which a gate that is opened by it is closed unasked, s.
    call : tuple of (str, tuple)
        What is asked of the pattern player: method and arguments.
    """

    number: int
    verb: Verb
    at_most: float = math.inf
    call: tuple[str, tuple[Any, ...]] = ("", ())


@dataclass(frozen=True)
class Answer:
    """From the guardian: what came of an order.

    Attributes
    ----------
    number : int
        Of the order.
    value : object
        Identity (connect), level (read), what the player returned (player), or whether the
        guardian still has to close the gate (disconnect).
    state : str
        State of the device, a value of DeviceState.
    error : str
        Empty if it was done.
    kind : {"", "input", "link", "reserved", "device"}
        Which error.
    remarks : tuple of str
        What the user of the device should know.
    """

    number: int
    value: Any
    state: str
    error: str = ""
    kind: Kind = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """From the guardian, unasked: it has closed the gate by itself, or cannot."""

    text: str
    closed: bool


def kind_of(error: Exception) -> Kind:
    """Which kind of error it is for the program; whatever a driver raises is a device's."""
    if isinstance(error, InputError):
        return "input"
    if isinstance(error, ReservedError):
        return "reserved"
    return "link" if isinstance(error, LinkError) else "device"


def error_of(answer: Answer) -> DeviceError | InputError | None:
    """The error that an answer carries; None if there is none."""
    if not answer.error:
        return None
    kinds: dict[str, type[DeviceError | InputError]] = {
        "input": InputError, "link": LinkError, "reserved": ReservedError
    }  # fmt: skip
    return kinds.get(answer.kind, DeviceError)(answer.error)
