"""A remote that holds the knobs is named in the toolbar, and can lose them there."""

from __future__ import annotations

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QToolBar

from ..models.shown import shown
from .background import in_background
from .bridge import Bridge
from .plain import plain_tip
from .services import Remotes

__all__ = ["RemoteKnobs"]

_LONGEST = 24  # letters of a name in the toolbar


class RemoteKnobs:
    """An action that is there while a remote holds the knobs.

    Parameters
    ----------
    remotes : Remotes
        Who is let in.
    bridge : Bridge
        Takes the command; the user at the window can act meanwhile, as ever.
    toolbar : QToolBar
        Where the action is shown.
    menu : QMenu
        Where it is, too.
    """

    def __init__(self, remotes: Remotes, bridge: Bridge, toolbar: QToolBar, menu: QMenu) -> None:
        self._remotes, self._bridge, self._asked = remotes, bridge, False
        self.action = QAction("Take the knobs back", toolbar)
        self.action.triggered.connect(lambda _: self.take_back())
        toolbar.addSeparator()
        toolbar.addAction(self.action)
        menu.addAction(self.action)
        bridge.status_changed.connect(lambda _: self.show_owner())
        self.show_owner()

    def show_owner(self) -> None:
        """Name the remote that holds the knobs."""
        owner = self._remotes.owner
        self.action.setVisible(owner is not None)
        if owner is None:
            return
        name = shown(owner)
        short = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
        self.action.setText(f"Take the knobs back from {short}".replace("&", "&&"))
        self.action.setEnabled(not self._asked)
        self.action.setToolTip(
            plain_tip(f"{name} steers this experiment: its commands are carried out beside yours")
        )

    def take_back(self) -> None:
        """Take the knobs from the remote; it is told, and watches on."""
        self._asked = True

        def done(error: BaseException | None) -> None:
            self._asked = False
            self.show_owner()

        self._bridge.submit(
            "take the knobs back", lambda: in_background(self._remotes.take_back), done=done
        )
        self.show_owner()
