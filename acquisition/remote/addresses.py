"""Where experiments are served: addresses with their tokens, and files that say what runs here.

A file is readable by its user alone and belongs to a lock that dies with the process, however that
ends: what the dead have left is recognised and removed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from ...instruments.links.claim import lock, runtime_folder
from ...models.errors import DeviceError, InputError

__all__ = ["Address", "Registration", "is_loopback", "lookup", "parse_listening", "running_here"]

_OWN: set[Path] = set()  # of this process: looking at its own locks would free them
_FORM = "tcp://HOST:PORT?token=TOKEN"


@dataclass(frozen=True)
class Address:
    """Where an experiment is served.

    Attributes
    ----------
    host, port : str, int
        Of the server.
    token : str
        The secret; never shown.
    local : bool
        Whether ``token`` is that of the user who runs the experiment.
    name : str
        Of the experiment; empty while it is not known.
    pid : int
        Its process on this computer; 0 when it is not known.
    """

    host: str
    port: int
    token: str = field(repr=False)
    local: bool = False
    name: str = ""
    pid: int = 0

    @property
    def place(self) -> str:
        """Address without the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def url(self) -> str:
        """Address with the token: who has it can watch and steer."""
        return f"{self.place}?token={quote(self.token)}"

    @classmethod
    def of(cls, url: str) -> Address:
        """Read an address with its token.

        Raises
        ------
        InputError
            If it is none, or has no token.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port:
            raise InputError(f"{url.partition('?')[0]} is no address of an experiment: {_FORM}")
        token = parse_qs(parts.query).get("token", [""])[0]
        if not token:
            raise InputError(f"{url.partition('?')[0]} lacks the token: {_FORM}")
        return cls(host, port, token)


def parse_listening(text: str) -> tuple[str, int]:
    """Read HOST:PORT, HOST or :PORT to listen on; port 0 is a free one.

    Raises
    ------
    InputError
        If it is none of these.
    """
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/?]*)(?::(\d{1,5}))?", text.strip())
    port = int(found[2] or 0) if found else -1
    if found is None or not text.strip() or not 0 <= port <= 65535:
        raise InputError(
            f"{text!r} is no address to listen on: give HOST:PORT, such as 127.0.0.1:5600"
        )
    return found[1].strip("[]") or "127.0.0.1", port


def is_loopback(host: str) -> bool:
    """Whether only programs of this computer reach an address."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
        return all(ipaddress.ip_address(address).is_loopback for address in found)
    except (OSError, ValueError):  # whoever listens on it tells what is wrong with it
        return False


class Registration:
    """The file that tells programs of the same user where an experiment is served.

    Parameters
    ----------
    address : Address
        With the token of the user who runs it.
    folder : Path, optional
        Where; a folder of the user's by default.

    Raises
    ------
    DeviceError
        If it cannot be written.
    """

    def __init__(self, address: Address, folder: Path | None = None) -> None:
        stem = re.sub(r"[^\w.-]+", "_", address.name)[:60] or "rig"
        self.path = (folder or _folder()) / f"{stem}-{os.getpid()}-{address.port}.json"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _opened(_lock_of(self.path))
            _OWN.add(self.path)
            lock(self._lock)
            with _opened(self.path) as file:
                file.truncate(0)
                file.write(json.dumps(_told(address)).encode())
        except OSError as error:
            raise DeviceError(
                f"the address of the experiment cannot be written to {self.path.parent} "
                f"({error.strerror}): make that folder writable"
            ) from error

    def remove(self) -> None:
        """Tell nobody any more. Safe to call twice; never raises."""
        _remove(self.path)
        self._lock.close()
        with contextlib.suppress(OSError):
            _lock_of(self.path).unlink()  # Windows removes no file that is open
        _OWN.discard(self.path)


def running_here(folder: Path | None = None) -> list[Address]:
    """Experiments that this user serves on this computer; files of dead ones are removed."""
    found = []
    for path in sorted((folder or _folder()).glob("*.json")):
        if path not in _OWN and _is_stale(path):
            _remove(path)
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found.append(_read(json.loads(path.read_text(encoding="utf-8"))))
    return found


def lookup(where: str | None, folder: Path | None = None) -> Address:
    """Find an experiment by its name, its process or its address.

    Parameters
    ----------
    where : str or None
        ``NAME``, ``NAME:PID`` or ``tcp://HOST:PORT?token=…``; None for the only one here.
    folder : Path, optional
        Where its file lies.

    Raises
    ------
    InputError
        If there is none or more than one.
    """
    if where is not None and "://" in where:
        return Address.of(where)
    known = running_here(folder)
    named = [one for one in known if where in (None, one.name, f"{one.name}:{one.pid}")]
    if len(named) == 1:
        return named[0]
    what = "no experiment is served" if where is None else f"no experiment {where} is served"
    listed = ", ".join(f"{one.name}:{one.pid}" for one in named or known)
    if len(named) > 1:
        raise InputError(f"{len(named)} experiments are served here: name one of {listed}")
    others = f"; there are {listed}" if known else ""
    raise InputError(
        f"{what} on this computer by this user{others}: begin one with optobind run --serve, "
        f"optobind gui --serve or ob.serve, or give its address, {_FORM}"
    )


def _folder() -> Path:
    return runtime_folder() / "served"


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _opened(path: Path) -> Any:
    """Open a file that its user alone may read, for reading and writing."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)


def _is_stale(path: Path) -> bool:
    """Whether nobody holds the lock of a file any more."""
    if not _lock_of(path).exists():
        return True
    try:
        with _opened(_lock_of(path)) as file:
            return lock(file)
    except OSError:
        return False


def _remove(path: Path) -> None:
    for one in (path, _lock_of(path)) if path not in _OWN else (path,):
        with contextlib.suppress(OSError):
            one.unlink()


def _told(address: Address) -> dict[str, Any]:
    return {
        "name": address.name,
        "host": address.host,
        "port": address.port,
        "token": address.token,
        "pid": os.getpid(),
    }


def _read(told: dict[str, Any]) -> Address:
    host, port, token = str(told["host"]), int(told["port"]), str(told["token"])
    return Address(host, port, token, True, str(told["name"]), int(told["pid"]))
