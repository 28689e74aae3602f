"""The data server of Zurich Instruments: connected, and what its package raises made ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ...models.errors import DeviceError
from .base import LinkError

__all__ = ["connected_server", "server_errors"]


@contextlib.contextmanager
def server_errors(what: str) -> Iterator[None]:
    """Turn what the package raises (RuntimeError and its kin) into a broken link."""
    try:
        yield
    except RuntimeError as error:
        raise LinkError(
            f"{what} failed ({error}): check the data server and the instrument"
        ) from error


def connected_server(server: tuple[Any, ...], device: str, interface: str) -> Any:
    """Return a data server with the device connected; writes no setting.

    Raises
    ------
    DeviceError
        Without the package, or if the server or the device does not answer.
    """
    try:
        core = import_module("zhinst.core")
    except ImportError as error:
        raise DeviceError(
            "Zurich Instruments need zhinst-core: pip install optobind[zurich], and a LabOne "
            "data server"
        ) from error
    with server_errors("connecting"):
        daq = core.ziDAQServer(*server)
        daq.connectDevice(device, interface)
    return daq
