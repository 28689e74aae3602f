"""Loops made of a Zurich Instruments lock-in's demodulators and auxiliary outputs, through zhinst.

Demodulator d sees the in-loop detector at its oscillator's frequency; auxiliary output a gives its
X (or Y), ``scale`` volts for each volt, to whatever makes the force at that frequency (a modulator,
a mixer on the electrode's drive, or the trap's power). So of a loop

=========  =======================================  ==========================
gain       ``/DEV/auxouts/A/scale``                 V/V
phase      ``/DEV/demods/D/phaseshift``             degrees there, rad here
centre     ``/DEV/oscs/O/freq``                     Hz, O from ``oscselect``
bandwidth  ``/DEV/demods/D/timeconstant``           s there, 3 dB corner here
enabled    ``/DEV/auxouts/A/outputselect``          0 (X) or 1 (Y) of ``demodselect`` D
=========  =======================================  ==========================

Nothing else is set: inputs, orders and what the outputs show are made in LabOne. Node names follow
LabOne's node documentation. Exercised on a scripted stand-in, never on an instrument: whether a
scale acts while the output runs, and how fast, was not seen. PID and MOD loops are not driven.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..controller_protocol import ControllerCapabilities, LoopSetting, require_loop
from ..links.zurich import connected_server, server_errors
from .base import CheckedController

__all__ = ["ZurichController"]

_SHOWN = (0, 1)  # outputselect: X and Y of the demodulator


class ZurichController(CheckedController):
    """Feedback loops of a lock-in.

    Parameters
    ----------
    name : str
        Name in the rig.
    device : str
        Such as "dev1234".
    demods, auxouts : sequence of int
        Demodulator and auxiliary output of each loop, that of particle 1 first.
    host, port : str, int
        Data server: port 8004, or 8005 for an HF2.
    api_level : int
        6, or 1 for an HF2.
    interface : str
        How the server reaches the device.
    max_scale : float
        Largest gain, V/V.
    frequency_range : (float, float)
        Of the oscillators, Hz.
    settling : float
        Longest time from a command until it acts, s.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str,
        demods: Sequence[int] = (0, 1),
        auxouts: Sequence[int] = (0, 1),
        host: str = "localhost",
        port: int = 8004,
        api_level: int = 6,
        interface: str = "1GbE",
        max_scale: float = 1e3,
        frequency_range: Sequence[float] = (1e3, 5e6),
        settling: float = 0.05,
    ) -> None:
        super().__init__(name)
        if not demods or len(demods) != len(auxouts) or len(set(auxouts)) != len(auxouts):
            raise InputError(
                f"{name}: give each loop a demodulator and an auxiliary output of its own, got "
                f"demods {list(demods)}, auxouts {list(auxouts)}"
            )
        self._demods, self._outputs = tuple(demods), tuple(auxouts)
        self._device, self._interface = device.lower(), interface
        self._server = (host, int(require_range("port", port, 1, 65535)), int(api_level))
        low, high = frequency_range
        self._limits = ControllerCapabilities(
            loops=len(self._demods),
            gain_range=(0.0, require_range("max_scale", max_scale, 0.0, 1e9, "V/V")),
            gain_unit="V/V",
            timing="phase",
            phase_range=(-math.tau, math.tau),
            centre_range=(float(low), float(high)),
            bandwidth_range=(1e-3, 1e7),
            gain_step=1e-4,
            phase_step=math.radians(1e-3),
            centre_step=1e-3,
            # Time constants come in steps that the manual does not give.
            bandwidth_step=1e5,
            settling=settling,
        )
        self._daq: Any = None
        self._oscs: tuple[int, ...] = ()
        self._orders: tuple[int, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its user should know."""
        return (
            f"{self._name}: this driver was exercised on a scripted stand-in only, not on an "
            "instrument: try it with the particle's gain at its lowest first",
        )

    def _path(self, leaf: str) -> str:
        return f"/{self._device}/{leaf}"

    def _open(self) -> str:
        self._daq = connected_server(self._server, self._device, self._interface)
        with server_errors("connecting"):
            self._oscs = tuple(self._int(f"demods/{d}/oscselect") for d in self._demods)
            self._orders = tuple(self._int(f"demods/{d}/order") for d in self._demods)
        if len(set(self._oscs)) < len(self._oscs):
            raise DeviceError(
                f"demodulators {list(self._demods)} share an oscillator: give each its own in "
                "LabOne, the loops have centre frequencies of their own"
            )
        for loop in range(len(self._demods)):
            with server_errors("reading"):
                found = self._read(loop)
            if found.gain < 0.0:
                raise DeviceError(
                    f"auxiliary output {self._outputs[loop]} has a negative scale "
                    f"({found.gain:g}): turn it positive and the demodulator's phase by 180 "
                    "degrees in LabOne"
                )
        return f"Zurich Instruments {self._device} at {self._server[0]}:{self._server[1]}"

    def _close(self) -> None:
        daq, self._daq = self._daq, None
        if daq is not None:
            with contextlib.suppress(Exception):
                daq.disconnect()

    def _int(self, leaf: str) -> int:
        return int(self._daq.getInt(self._path(leaf)))

    def _double(self, leaf: str) -> float:
        return float(self._daq.getDouble(self._path(leaf)))

    def _corner(self, loop: int) -> float:
        """3 dB corner of a demodulator's filter times its time constant."""
        order = max(1, self._orders[loop])
        return math.sqrt(2.0 ** (1.0 / order) - 1.0) / math.tau

    def _read(self, loop: int) -> LoopSetting:
        demod, output = self._demods[loop], self._outputs[loop]
        with server_errors("reading"):
            constant = self._double(f"demods/{demod}/timeconstant")
            return LoopSetting(
                gain=self._double(f"auxouts/{output}/scale"),
                phase=math.radians(self._double(f"demods/{demod}/phaseshift")),
                centre=self._double(f"oscs/{self._oscs[loop]}/freq"),
                bandwidth=self._corner(loop) / constant if constant > 0.0 else 0.0,
            )

    def _write(self, loop: int, setting: LoopSetting, now: LoopSetting | None) -> None:
        """Set what differs; a gain that falls first, one that rises last."""
        demod, output = self._demods[loop], self._outputs[loop]
        assert setting.centre is not None
        values = {
            "phase": (f"demods/{demod}/phaseshift", math.degrees(setting.phase)),
            "centre": (f"oscs/{self._oscs[loop]}/freq", setting.centre),
            "bandwidth": (
                f"demods/{demod}/timeconstant",
                self._corner(loop) / setting.bandwidth,
            ),
            "gain": (f"auxouts/{output}/scale", setting.gain),
        }
        order = list(values)
        if now is None or setting.gain < now.gain:
            order = ["gain", *order[:-1]]
        with server_errors("setting"):
            for name in order:
                if now is None or getattr(setting, name) != getattr(now, name):
                    leaf, value = values[name]
                    self._daq.setDouble(self._path(leaf), value)
            self._daq.sync()

    def enabled(self, loop: int) -> bool:
        """Whether the auxiliary output shows the loop's demodulator."""
        self._require_link()
        require_loop(self._name, loop, self._limits)
        with self._talking(), server_errors("reading"):
            shown = self._int(f"auxouts/{self._outputs[loop]}/outputselect")
            whose = self._int(f"auxouts/{self._outputs[loop]}/demodselect")
        return shown in _SHOWN and whose == self._demods[loop]
