"""What the window asks of a session; ``acquisition.session.Session`` satisfies it.

mypy checks that where ``cli/window.py`` hands one to the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...acquisition.session_calls import SessionCalls

if TYPE_CHECKING:
    from ...instruments.rig import Rig

__all__ = ["SessionPort"]


class SessionPort(SessionCalls, Protocol):
    """The calls of a session and the rig that it runs on."""

    @property
    def rig(self) -> Rig:
        """Devices with what is known about them."""
        ...
