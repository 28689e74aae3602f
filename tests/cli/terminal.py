"""The command on a terminal of its own (a pty) whose window can be closed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

# The child becomes leader of a session that the terminal controls: closing it sends SIGHUP.
_LAUNCH = (
    "import fcntl, os, signal, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "[signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)]; "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


class Terminal:
    """A program on a pty of its own; ``close`` is the click that closes the window."""

    def __init__(self, *arguments: str, module: bool = True, redirect: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        command = [sys.executable, "-c", _LAUNCH, *(("-m", "optobind") if module else ())]
        log = None if redirect is None else open(redirect, "wb")
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=slave,
            stdout=slave if log is None else log,
            stderr=slave if log is None else log,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(slave)
        if log is not None:
            log.close()
        self.text = b""
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        import select

        while not self._closing.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    data = os.read(self._master, 65536)
                except OSError:
                    return
                if not data:
                    return
                self.text += data

    def close(self) -> None:
        """Close the window; the kernel hangs the line up."""
        self._closing.set()
        self._reader.join()
        os.close(self._master)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """After a test: leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self._closing.is_set():
            self.close()

    def remains(self, seconds: float = 10.0) -> list[str]:
        """Processes of the program's session and shared memory of it that are left."""
        deadline = time.monotonic() + seconds
        while (left := _left_by(self.process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


def _left_by(leader: int) -> list[str]:
    found = [f"/dev/shm/{n}" for n in os.listdir("/dev/shm") if f"-{leader}-" in n]
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == leader:
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(f"process {entry}")
    return found
