"""Messages between a display driver and the process that owns the window. Standard library only.

A message is four bytes of length, that much JSON, and as many bytes as its ``size`` says. The
window's process writes a record (port, token, screen) into a folder that only its user can read;
who cannot read the token cannot talk to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["receive", "record_folder", "send", "write_record"]

_LENGTH = struct.Struct(">I")
_LONGEST_JSON, _LONGEST_DATA = 1 << 22, 1 << 29


def send(link: socket.socket, header: dict[str, Any], data: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps({**header, "size": len(data)}).encode("utf-8")
    link.sendall(_LENGTH.pack(len(text)) + text)
    if len(data):
        link.sendall(data)


def receive(link: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Receive one message.

    Raises
    ------
    ConnectionError
        If the other end is gone.
    ValueError
        If what comes is no message.
    OSError
        If it does not come in time.
    """
    (length,) = _LENGTH.unpack(_exactly(link, _LENGTH.size))
    if not 2 <= length <= _LONGEST_JSON:
        raise ValueError(f"a message of {length} bytes")
    header = json.loads(_exactly(link, length).decode("utf-8"))
    if not isinstance(header, dict) or not isinstance(header.get("size"), int):
        raise ValueError("a message without a size")
    if not 0 <= header["size"] <= _LONGEST_DATA:
        raise ValueError(f"a message with {header['size']} bytes of data")
    return header, bytes(_exactly(link, header["size"]))


def _exactly(link: socket.socket, count: int) -> bytearray:
    """Receive so many bytes."""
    data = bytearray(count)
    view, got = memoryview(data), 0
    while got < count:
        read = link.recv_into(view[got:])
        if read == 0:
            raise ConnectionError("the other end has closed the connection")
        got += read
    return data


def record_folder() -> Path:
    """Folder of the records, made if needed, closed to other users.

    Raises
    ------
    OSError
        If it cannot be made, or belongs to somebody else.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("LOCALAPPDATA")
    if base and Path(base).is_dir():
        folder = Path(base) / "optobind"
    else:
        owner = os.getuid() if sys.platform != "win32" else "user"
        folder = Path(tempfile.gettempdir()) / f"optobind-{owner}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        found = folder.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            raise OSError(f"{folder} belongs to another user: remove it")
        folder.chmod(0o700)
    return folder


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record so that a reader sees all of it or nothing."""
    part = path.with_suffix(".part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(record, file)
    os.replace(part, path)
