"""The computer stays awake while a run records: a laptop that sleeps loses the record.

Linux asks logind (``systemd-inhibit``), macOS has ``caffeinate``, Windows a call of its own. Each
ends with the process that asked, however that ends. A computer that cannot be kept awake is said
once; no run waits for any of this.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

from .slots import LogBook

__all__ = ["kept_awake"]

_WHY = "a run is being recorded"
_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001  # SetThreadExecutionState
_PATIENCE = 2.0  # s for letting go
_SAID = threading.Event()


@contextlib.contextmanager
def kept_awake(log: LogBook, *, needed: bool = True) -> Iterator[None]:
    """Keep the computer awake within the block.

    Parameters
    ----------
    log : LogBook
        Told, once a process, if it cannot be kept awake.
    needed : bool
        False does nothing: what is as fast as it can be loses nothing by sleep.
    """
    if not needed:
        yield
        return
    released = threading.Event()
    thread = threading.Thread(
        target=_keep, args=(log, released), name="keep awake", daemon=True
    )  # fmt: skip
    thread.start()
    try:
        yield
    finally:
        released.set()
        thread.join(_PATIENCE)


def _keep(log: LogBook, released: threading.Event) -> None:
    """Hold until released; say once if that is not possible."""
    try:
        failure = _hold(released)
    except OSError as error:
        failure = str(error)
    if failure and not released.is_set() and not _SAID.is_set():
        _SAID.set()
        log.add(
            "warning",
            f"the computer may fall asleep while runs record ({failure}): switch its sleep off in "
            "the system's settings",
        )


def _hold(released: threading.Event) -> str:
    """Keep awake until released; return what went wrong, in words."""
    if sys.platform == "win32":
        import ctypes

        state = ctypes.windll.kernel32.SetThreadExecutionState
        if not state(_CONTINUOUS | _SYSTEM_REQUIRED):
            return "Windows refused"
        released.wait()
        state(_CONTINUOUS)
        return ""
    command = _command()
    if command is None:
        return "there is no systemd-inhibit or caffeinate here"
    # The helper ends with its standard input, so also when this process is killed; a session of
    # its own keeps the terminal's Ctrl-C from it.
    helper = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with helper:
        threading.Thread(target=_let_go, args=(helper, released), daemon=True).start()
        assert helper.stderr is not None
        said = helper.stderr.read().decode(errors="replace").strip()  # until it ends
    return " ".join(said.split())[:120] or f"{command[0]} ended by itself"


def _command() -> list[str] | None:
    """Program that keeps this system awake while it runs; None if there is none."""
    if sys.platform == "darwin":
        return ["caffeinate", "-i", "-s", "-w", str(os.getpid())]
    inhibit, cat = shutil.which("systemd-inhibit"), shutil.which("cat")
    if inhibit is None or cat is None:
        return None
    return [
        inhibit, "--what=sleep:idle", "--who=optobind", f"--why={_WHY}", "--mode=block", cat,
    ]  # fmt: skip


def _let_go(helper: subprocess.Popen[bytes], released: threading.Event) -> None:
    """End the helper when nobody needs it any more."""
    released.wait()
    with contextlib.suppress(OSError):
        assert helper.stdin is not None
        helper.stdin.close()  # systemd-inhibit waits for cat, cat for its input
    if sys.platform == "darwin":
        helper.terminate()
    try:
        helper.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        helper.kill()
