"""``optobind virtual-lab``: a simulated rig as instruments that the real drivers talk to."""

from __future__ import annotations

import copy
import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.build import build_rig
from ..config.documents import to_toml
from ..config.load import LoadedRig, read_rig, rig_from_dict
from ..instruments.virtual.laboratory import VirtualLaboratory
from .output import console_for_progress, print_text, warn, write_text
from .signals import Endings, collected_endings

__all__ = ["LabOptions", "client_rig", "serve_rig", "who_can_drive"]

_LONGEST_NAME = 64


@dataclass(frozen=True)
class LabOptions:
    """How a laboratory is served.

    Attributes
    ----------
    real_time : bool or None
        Clock of the world; None for that of the rig.
    rf, gauge : str
        Drivers whose devices are imitated.
    out : Path or None
        Where the rig file goes, besides stdout.
    duration : float or None
        Seconds after which it ends; None for until Ctrl-C.
    host : str
        Address to listen on.
    serial : bool
        Pseudo terminals for devices with a serial line.
    """

    real_time: bool | None = None
    rf: str = "keysight"
    gauge: str = "pfeiffer-tpg"
    out: Path | None = None
    duration: float | None = None
    host: str = "127.0.0.1"
    serial: bool = False


def serve_rig(rig: str, settings: Sequence[str], options: LabOptions) -> None:
    """Serve until the duration is over or Ctrl-C; print the rig file to connect with.

    Raises
    ------
    InputError
        For a rig that is not simulated, or an unknown dialect.
    DeviceError
        If a port cannot be had or a package is missing.
    Interrupted
        After a signal, when the laboratory has ended in good order.
    """
    chosen = list(settings)
    if options.real_time is not None:
        chosen.append(f"simulation.clock={'real-time' if options.real_time else 'fast'}")
    loaded = read_rig(rig, chosen)
    built = build_rig(loaded)
    left_out = ", ".join(device.name for _, device in built.named())
    if left_out:
        warn([f"not served, and not in the rig file to connect with: {left_out}"])
    with (
        collected_endings() as endings,
        VirtualLaboratory(
            built, rf=options.rf, gauge=options.gauge, host=options.host, serial=options.serial
        ) as laboratory,
    ):
        danger = who_can_drive(options.host)
        text = f"# {danger}\n{to_toml(client_rig(loaded, laboratory))}"
        if options.out is not None:
            write_text(options.out, text)
        print_text(text)
        _wait(options, endings, danger)
    endings.raise_if_any()


def who_can_drive(host: str) -> str:
    """Say who can change light and gate of a laboratory that listens on an address.

    The instruments ask for no password, as real ones: drivers that others wrote must reach them.
    """
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
        alone = all(ipaddress.ip_address(address).is_loopback for address in found)
    except (OSError, ValueError):  # whoever listens on it tells what is wrong with it
        alone = False
    if alone:
        return (
            "anybody who works on this computer can drive this laboratory, light and feedback "
            "gate included: like real instruments it asks for no password"
        )
    return (
        f"anybody on the network who reaches {host} can drive this laboratory, light and feedback "
        "gate included: it asks for no password; use --host 127.0.0.1 and an ssh tunnel instead"
    )


def client_rig(loaded: LoadedRig, laboratory: VirtualLaboratory) -> dict[str, Any]:
    """Document of the rig that connects to a laboratory.

    Particles, light, gas and detectors are those of the served rig: what an experimenter believes.
    """
    document = copy.deepcopy(loaded.source)
    document.pop("simulation", None)
    document["name"] = f"{loaded.name}-virtual"[:_LONGEST_NAME]
    document["devices"] = laboratory.tables()
    rig_from_dict(document, "the rig to connect with")
    return document


def _wait(options: LabOptions, endings: Endings, danger: str) -> None:
    """Say that it runs and who can drive it; wait for the end of the duration, or for a signal."""
    console = console_for_progress()
    where = "" if options.out is None else f"; rig file: {options.out}"
    until = "Ctrl-C ends it" if options.duration is None else f"for {options.duration:g} s"
    console.print(f"virtual laboratory is running, {until}{where}", soft_wrap=True, markup=False)
    warn([danger])
    end = None if options.duration is None else time.monotonic() + options.duration
    while not endings.numbers and (end is None or time.monotonic() < end):
        time.sleep(0.1 if end is None else min(0.1, max(0.0, end - time.monotonic())))
