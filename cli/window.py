"""``optobind gui``: open the window, or say in one line why that is not possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.errors import DeviceError
from .signals import collected_endings

if TYPE_CHECKING:
    pass

__all__ = ["open_window"]


def open_window(rig: str, settings: Sequence[str], shot: Path | None = None) -> int:
    """Open the window on a rig and return its exit code.

    Parameters
    ----------
    rig : str
        Shipped name or path.
    settings : sequence of str
        Changes to the rig.
    shot : path, optional
        Save a picture of the window there, and close.

    Raises
    ------
    InputError
        Without PyQt6, pyqtgraph or a display.
    """
    from ..gui.check import begin_check

    begin_check()  # the display answers while the rest is imported
    from ..config.build import build_rig
    from ..config.load import read_rig

    built = build_rig(read_rig(rig, settings))
    from ..acquisition.session import Session
    from ..gui.app import run_window
    from ..gui.check import require_display

    require_display()
    # Qt ends the process for an exception within its loop: signals are collected.
    with collected_endings() as endings:
        session = Session(built)

        def begin() -> None:
            session.connect()
            session.stream(True)

        # Nothing real is touched by a simulation or a replay: show traces at once. Hardware waits
        # for the user's click.
        background = None if built.mode == "LIVE" else begin
        try:
            # mypy checks here that a Session is all that the window asks.
            code = run_window(session, shot=shot, begin=background, urgency=lambda: endings.urgency)
        finally:
            session.close()
    if session.gate_trouble:
        raise DeviceError(session.gate_trouble)
    return endings.exit_code or code
