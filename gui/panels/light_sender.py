"""Commands of the knobs: one under way, the newest waits, and what would lose particles asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt6.QtWidgets import QMessageBox, QWidget

from ...models.errors import NotTrappedError
from ...models.light import TweezerState
from ..viewmodels.light import LightModel

if TYPE_CHECKING:
    from ..bridge import Bridge

__all__ = ["LightSender", "ask_untrapped"]

Done = Callable[[BaseException | None], None]


def ask_untrapped(parent: QWidget, why: str) -> bool:
    """Ask whether light that holds no particles by the model is to be set all the same."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("The particles would be lost")
    box.setText("By the rig's model this light holds no particles: they would be LOST.")
    box.setInformativeText(f"{why}\n\nNothing has been sent yet.")
    roles = QMessageBox.ButtonRole
    keep = box.addButton("Keep the light as it is", roles.RejectRole)
    go = box.addButton("Set it and lose them", roles.DestructiveRole)
    box.setDefaultButton(keep)
    box.exec()
    return box.clickedButton() is go


@dataclass
class _Command:
    """A light to set."""

    label: str
    state: TweezerState
    line: str
    done: Done


class LightSender:
    """Sends light to the session: key presses that come faster than answers are not lost.

    Parameters
    ----------
    bridge : Bridge
        Takes the commands.
    model : LightModel
        Learns when none is under way any more.
    parent : QWidget
        Of the question.
    """

    def __init__(self, bridge: Bridge, model: LightModel, parent: QWidget) -> None:
        self.bridge, self.model, self.parent = bridge, model, parent
        self.ask = ask_untrapped
        self.busy = False
        self._next: _Command | None = None

    def send(self, label: str, state: TweezerState, line: str, done: Done = lambda _: None) -> None:
        """Set a light, now or once the command under way is answered; only the newest waits."""
        command = _Command(label, state, line, done)
        if self.busy:
            self._next = command
        else:
            self._submit(command)

    def _submit(self, command: _Command, *, allow_untrapped: bool = False) -> None:
        self.busy = True
        # Said only when it is meant: sessions without a model need not know it.
        extra = {"allow_untrapped": True} if allow_untrapped else {}
        self.bridge.submit(
            command.label,
            lambda: self.bridge.session.set_light(command.state, **extra),
            line=command.line,
            done=lambda error: self._answered(command, error),
            asks=() if allow_untrapped else (NotTrappedError,),
        )

    def _answered(self, command: _Command, error: BaseException | None) -> None:
        waiting, self._next = self._next, None
        if waiting is not None and error is None:
            self._submit(waiting)
            return
        self.busy = False
        self.model.answered()
        if isinstance(error, NotTrappedError) and self.ask(self.parent, str(error)):
            self._submit(command, allow_untrapped=True)
            return
        command.done(error)
