"""Brings faulted devices back: bounded attempts, growing waits, nothing applied again.

After a fault the outputs of a device are what the device kept. Reconnecting reads them and leaves
them; whoever wants the old set-point back has to ask for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ..models.errors import DeviceError
from ..models.ranges import require_range
from .protocols import Device, DeviceState

__all__ = ["Incident", "Supervisor"]


@dataclass(frozen=True)
class Incident:
    """What the supervisor did or saw.

    Attributes
    ----------
    family : str
        Family of the device.
    name : str
        Its name.
    kind : {"faulted", "retrying", "reconnected", "given up"}
        What happened.
    text : str
        One line for the log, with what to do.
    """

    family: str
    name: str
    kind: Literal["faulted", "retrying", "reconnected", "given up"]
    text: str


@dataclass
class _Patient:
    """A faulted device: attempts made, and when the next is due."""

    attempts: int = 0
    due: float = 0.0
    given_up: bool = False


class Supervisor:
    """Watches devices and reconnects the faulted ones.

    Parameters
    ----------
    devices : iterable of (family, Device)
        What is watched.
    first_wait, longest_wait : float
        Wait before the first attempt, doubled after each, and its bound, s.
    attempts : int
        Attempts before a device is given up; connecting it by hand starts anew.
    clock : callable
        Monotonic time, s.
    """

    def __init__(
        self,
        devices: Iterable[tuple[str, Device]],
        *,
        first_wait: float = 1.0,
        longest_wait: float = 30.0,
        attempts: int = 8,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices = list(devices)
        self._first = require_range("first_wait", first_wait, 0.0, 3600.0, "s")
        self._longest = require_range("longest_wait", longest_wait, 0.0, 3600.0, "s")
        self._attempts = int(require_range("attempts", attempts, 1, 1000))
        self._clock = clock
        self._patients: dict[str, _Patient] = {}

    def poll(self, *, may_connect: bool = True) -> list[Incident]:
        """Look at all devices and make the attempts that are due; at most one a call.

        Parameters
        ----------
        may_connect : bool
            False only notes faults: connecting may wait for a timeout, which a running record
            cannot afford.
        """
        incidents, tried = [], False
        for family, device in self._devices:
            if device.state is not DeviceState.FAULTED:
                self._patients.pop(family, None)
                continue
            patient = self._patients.get(family)
            if patient is None:
                patient = self._patients[family] = _Patient(due=self._clock() + self._first)
                text = f"{family} {device.name} is faulted: its outputs stay as the device has them"
                incidents.append(Incident(family, device.name, "faulted", text))
            due = may_connect and not tried and self._clock() >= patient.due
            if due and not patient.given_up:
                tried = True
                incidents.append(self._attempt(family, device, patient))
        return incidents

    def _attempt(self, family: str, device: Device, patient: _Patient) -> Incident:
        """Try once to reconnect a device."""
        patient.attempts += 1
        try:
            identity = device.connect()
        except DeviceError as error:
            return self._postpone(family, device, patient, error)
        self._patients.pop(family, None)
        text = (
            f"{family} {device.name} is back ({identity}); nothing was applied again: "
            "compare requested and read-back values"
        )
        return Incident(family, device.name, "reconnected", text)

    def _postpone(
        self, family: str, device: Device, patient: _Patient, error: DeviceError
    ) -> Incident:
        """Plan the next attempt, or give up."""
        if patient.attempts >= self._attempts:
            patient.given_up = True
            text = (
                f"{family} {device.name} did not come back after {patient.attempts} attempts "
                f"({error}): check it, then connect by hand"
            )
            return Incident(family, device.name, "given up", text)
        wait = min(self._longest, self._first * math.pow(2.0, patient.attempts))
        patient.due = self._clock() + wait
        text = (
            f"{family} {device.name} is still away, attempt {patient.attempts} of "
            f"{self._attempts}, next in {wait:.3g} s ({error})"
        )
        return Incident(family, device.name, "retrying", text)
