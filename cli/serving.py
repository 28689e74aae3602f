"""``--serve``: a session of the command line or the window that remotes watch and steer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .output import console_for_progress, warn

if TYPE_CHECKING:
    from ..acquisition.remote.server import RemoteServer
    from ..acquisition.session import Session

__all__ = ["LOOPBACK", "is_address", "require_listening", "served"]

LOOPBACK = "127.0.0.1:0"
"""Address of a bare ``--serve``: this computer alone, a free port."""


def is_address(text: str) -> bool:
    """Whether what follows ``--serve`` is meant as its address: HOST:PORT or a number with dots."""
    return bool(re.fullmatch(r"(?!-)[^\s/\\]*:\d+|localhost|\d+(\.\d+){3}", text))


def require_listening(address: str | None) -> None:
    """Refuse an address before anything else is done.

    Raises
    ------
    InputError
        If it is none, or the package that serves is missing.
    """
    if address is None:
        return
    from ..acquisition.remote.addresses import parse_listening
    from ..acquisition.remote.packages import require_websockets

    parse_listening(address)
    require_websockets()


@contextlib.contextmanager
def served(
    session: Session, address: str | None, *, steering: bool = True
) -> Iterator[RemoteServer | None]:
    """Serve a session meanwhile, unless ``address`` is None, and say how it is reached.

    Raises
    ------
    DeviceError
        If the address cannot be listened on.
    """
    if address is None:
        yield None
        return
    from ..acquisition.remote.addresses import parse_listening
    from ..acquisition.remote.server import RemoteServer

    host, port = parse_listening(address)
    with RemoteServer(session, host=host, port=port, steering=steering) as server:
        console_for_progress().print(
            f"{session.rig.name} is served at {server.address.place}: optobind status, "
            "ob.connect(); for other computers: optobind status --address",
            soft_wrap=True,
            markup=False,
        )
        if server.danger:
            warn([server.danger])
        yield server
