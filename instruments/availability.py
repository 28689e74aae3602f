"""Whether a driver can be used on this computer, found out without connecting to anything."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from ..models.errors import DeviceError
from .catalogue import DriverSpec

__all__ = ["Availability", "availability"]

# What the drivers of an extra import when they connect.
_MODULES: dict[str, tuple[str, ...]] = {
    "gui": ("PyQt6",),
    "ni": ("nidaqmx",),
    "picoscope": ("picosdk",),
    "pymeasure": ("pymeasure",),
    "qcodes": ("qcodes",),
    "slm": ("slmsuite",),
    "spectrum": ("spcm",),
    "visa": ("pyvisa", "pyvisa_py", "serial"),
    "zurich": ("zhinst.core",),
}


@dataclass(frozen=True)
class Availability:
    """What is known about a driver before it is connected.

    Attributes
    ----------
    usable : bool
        Whether it can be imported and so can what it imports later. A vendor's own driver (DLL,
        kernel module) shows only when a device is connected.
    missing : tuple of str
        Python packages that are not installed.
    remedy : str
        What to do; empty if it is usable.
    """

    usable: bool
    missing: tuple[str, ...] = ()
    remedy: str = ""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # the parent package is missing, or half imported
        return False


def availability(spec: DriverSpec) -> Availability:
    """Look for what a driver needs; imports the driver but no vendor package.

    Parameters
    ----------
    spec : DriverSpec
        From :func:`~.catalogue.drivers`.
    """
    missing = tuple(name for name in _MODULES.get(spec.extra or "", ()) if not _is_there(name))
    try:
        spec.load()
    except DeviceError as error:
        return Availability(False, missing, str(error))
    if missing:
        return Availability(False, missing, f"pip install optobind[{spec.extra}]")
    return Availability(True)
