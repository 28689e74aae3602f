"""A screen as a panel: starts, finds and talks to the process that owns the window on it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError
from ...models.ranges import require_range
from ..hologram.synthesis import Image
from ..links.base import LinkError
from .panel import PanelInfo
from .wire import receive, record_folder, send

__all__ = ["DisplayPanel"]

# Processes started here: kept, so that ending ones are reaped and living ones are not warned about.
_STARTED: list[subprocess.Popen[bytes]] = []


class DisplayPanel:
    """A screen, driven by the process of :mod:`.display_window`.

    Parameters
    ----------
    screen : int or str
        Index as the system counts (0 is the first), or name.
    pitch : tuple of float
        Pixel pitch, m.
    pixels : tuple of int, optional
        (columns, rows) of the SLM; a larger screen is black around it. The whole screen without it.
    timeout : float
        Longest wait for an answer, s.
    start_timeout : float
        Longest wait for the process to start, s.
    keep : bool
        Whether the window stays when the link is closed. False is for tests and alignment.
    verify : bool
        Read the screen back after the first image of a connection.
    folder : path, optional
        Where the records of running processes are; the user's run-time folder without it.
    """

    def __init__(
        self,
        screen: int | str,
        pitch: tuple[float, float],
        pixels: tuple[int, int] | None = None,
        *,
        timeout: float = 5.0,
        start_timeout: float = 30.0,
        keep: bool = True,
        verify: bool = True,
        folder: str | Path | None = None,
    ) -> None:
        self._screen, self._pitch, self._pixels = screen, pitch, pixels
        self._timeout = require_range("timeout", timeout, 0.05, 60.0, "s")
        self._start_timeout = require_range("start_timeout", start_timeout, 0.5, 300.0, "s")
        self._keep, self._verify, self._folder = keep, verify, folder
        self._link: socket.socket | None = None
        self._record: Path | None = None
        self._unverified = True

    def open(self) -> PanelInfo:
        """Find the screen's process or start it; shows nothing.

        Raises
        ------
        DeviceError
            If there is no such screen, it is in use, or Qt cannot start; names the remedy.
        LinkError
            If the process does not answer.
        """
        try:
            folder = record_folder() if self._folder is None else Path(self._folder)
            folder.mkdir(parents=True, exist_ok=True)
            facts = self._find(folder) or self._start(folder)
        except (OSError, ValueError) as error:
            self._drop()
            raise LinkError(f"the window's process cannot be reached: {error}") from error
        whole = int(facts["columns"]), int(facts["rows"])
        pixels = self._pixels or whole
        if pixels[0] > whole[0] or pixels[1] > whole[1]:
            raise DeviceError(
                f"screen {facts['index']} has {whole[0]} × {whole[1]} pixels, the SLM "
                f"{pixels[0]} × {pixels[1]}: set the screen to the SLM's native resolution"
            )
        self._unverified = self._verify
        held = ", holds an image from before" if facts["shows"] else ""
        rate = float(facts["refresh"])
        identity = (
            f"screen {facts['index']} {facts['screen']!r} {whole[0]} × {whole[1]} at "
            f"{rate:.4g} Hz{held}"
        )
        return PanelInfo(identity, pixels, self._pitch, frame_rate=rate, note=facts["note"])

    def show_image(self, image: Image, note: dict[str, Any]) -> None:
        """Show an image; it is painted when this returns."""
        rows, columns = image.shape
        header = {"do": "show", "columns": columns, "rows": rows, "note": note}
        self._ask(header, np.ascontiguousarray(image).tobytes())
        if self._unverified:
            self._compare(image)
            self._unverified = False

    def grab(self) -> NDArray[np.uint8]:
        """Red, green and blue of the image as the screen has them, shape (rows, columns, 3)."""
        header, data = self._ask({"do": "grab"})
        rows, columns, stride = header["rows"], header["columns"], header["stride"]
        lines = np.frombuffer(data, np.uint8).reshape(rows, stride)
        return lines[:, : 3 * columns].reshape(rows, columns, 3)

    def quit(self) -> None:
        """End the window's process: what was shown is gone."""
        self._ask({"do": "quit"})
        self._drop()
        deadline = time.monotonic() + self._timeout
        while self._record is not None and self._record.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self._record is not None:
            _remove(self._record)

    def close(self) -> None:
        """Close the link; the window stays, unless ``keep`` is False. Never raises."""
        if self._link is not None and not self._keep:
            with contextlib.suppress(DeviceError):
                self.quit()
        self._drop()

    def _compare(self, image: Image) -> None:
        """Read the screen back; a difference means scaling, a colour profile, or a cover."""
        try:
            shown = self.grab()
        except LinkError:
            raise
        except DeviceError:
            return  # this system lets no program read the screen: nothing can be said
        wrong = np.any(shown != image[..., None], axis=2)
        if np.any(wrong):
            row, column = np.argwhere(wrong)[0]
            self._ask({"do": "forget"})
            self._drop()
            raise LinkError(
                f"screen {self._screen!r} does not show what was sent: {np.count_nonzero(wrong)} "
                f"pixels differ, first ({column}, {row}) with {shown[row, column].tolist()} for "
                f"{image[row, column]}; switch off scaling, night light and colour profile, and "
                "keep other windows off it"
            )

    def _find(self, folder: Path) -> dict[str, Any] | None:
        """Become the client of a process that has this screen; clear records of dead ones away."""
        for path in sorted(folder.glob("display-*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                named = self._screen in (record["index"], record["screen"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # being removed, or not ours
            try:
                if named:
                    return self._greet(record, path)
                socket.create_connection(("127.0.0.1", int(record["port"])), 1.0).close()
            except TimeoutError as error:
                self._drop()
                raise LinkError(
                    f"process {record['pid']}, which has the window on screen {self._screen!r}, "
                    f"does not answer: end it, then remove {path}"
                ) from error
            except (ConnectionError, ValueError):  # nobody there, or somebody else
                self._drop()
                _remove(path)
        return None

    def _start(self, folder: Path) -> dict[str, Any]:
        """Start the process, wait for its record and become its client."""
        _STARTED[:] = [process for process in _STARTED if process.poll() is None]
        path = folder / f"display-{uuid.uuid4().hex}.json"
        log = path.with_suffix(".log")
        module = f"{__package__}.display_window"
        command = [sys.executable, "-P", "-m", module, "--screen", str(self._screen)]
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [*command, "--record", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(),
                **_detached(),
            )
        _STARTED.append(process)
        deadline = time.monotonic() + self._start_timeout
        while not path.exists():
            if process.poll() is not None and not path.exists():
                raise DeviceError(_why(process.returncode, log))
            if time.monotonic() > deadline:
                process.kill()
                raise LinkError(f"the window's process did not start in {self._start_timeout:g} s")
            time.sleep(0.01)
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "error" in record:
            process.wait(self._timeout)
            _remove(path)
            raise DeviceError(f"{record['error']}{_remedy(record['error'])}")
        return self._greet(record, path)

    def _greet(self, record: dict[str, Any], path: Path) -> dict[str, Any]:
        """Become a process' client; returns what it says of the screen."""
        address = ("127.0.0.1", int(record["port"]))
        deadline = time.monotonic() + min(1.0, self._timeout)
        while True:
            self._drop()
            link = self._link = socket.create_connection(address, self._timeout)
            self._record = path
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send(link, {"token": record["token"], "pid": os.getpid()})
            facts, _ = receive(link)
            if "error" not in facts:
                return facts
            if time.monotonic() > deadline:
                raise DeviceError(f"screen {self._screen!r}: {facts['error']}")
            time.sleep(0.05)  # a link that was closed a moment ago may still count

    def _ask(self, header: dict[str, Any], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Send a message and return the answer, unless that is a refusal."""
        answer, more = self._exchange(header, data)
        if "error" in answer:
            raise DeviceError(f"screen {self._screen!r}: {answer['error']}")
        return answer, more

    def _exchange(self, header: dict[str, Any], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Send a message and return the answer."""
        link = self._link
        if link is None:
            raise LinkError("the window's process is gone: connect again")
        try:
            send(link, header, data)
            return receive(link)
        except (OSError, ValueError) as error:
            self._drop()
            what = "did not answer in time" if isinstance(error, TimeoutError) else "is gone"
            raise LinkError(
                f"the process of the window on screen {self._screen!r} {what} ({error}): what the "
                "screen shows is not known; look at it, then connect again"
            ) from error

    def _drop(self) -> None:
        """Forget the link."""
        if self._link is not None:
            self._link.close()
        self._link = None


def _environment() -> dict[str, str]:
    """Environment of the window's process: own plugins, no scaling, X rather than Wayland."""
    environment = dict(os.environ)
    # OpenCV (which comes with slmsuite) leaves its own, older Qt plugins here.
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_PLUGIN_PATH", "QT_SCALE_FACTOR"):
        environment.pop(name, None)
    environment["QT_ENABLE_HIGHDPI_SCALING"] = "0"
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    if environment.get("WAYLAND_DISPLAY") and environment.get("DISPLAY"):
        environment.setdefault("QT_QPA_PLATFORM", "xcb")  # Wayland lets no window choose its place
    return environment


def _detached() -> dict[str, Any]:
    """Options by which the process lives on when this one ends or is interrupted."""
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return {"creationflags": flags, "close_fds": True}
    return {"start_new_session": True, "close_fds": True}


def _remove(record: Path) -> None:
    """Remove a record and its log; Windows keeps a log until its process has ended."""
    for path in (record, record.with_suffix(".log")):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _why(code: int, log: Path) -> str:
    """Why a process ended before it served."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    log.unlink(missing_ok=True)
    last = next((line for line in reversed(lines) if line.strip()), "no message")
    return f"the window's process ended with code {code}: {last}{_remedy(' '.join(lines))}"


def _remedy(text: str) -> str:
    """What to do about a failed start."""
    if "Qt cannot be loaded" in text or "No module named 'PyQt6'" in text:
        return "; install it with pip install optobind[gui]"
    if "platform plugin" in text or "xcb" in text:
        return "; run it where a screen is (DISPLAY), with Qt's system libraries installed"
    return ""
