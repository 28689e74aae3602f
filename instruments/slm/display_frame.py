"""What a display SLM's process shows: one image, pixel for pixel, on one screen (Qt)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PyQt6.QtGui import QScreen

__all__ = ["Refusal", "Stage", "find_screen"]


class Refusal(Exception):
    """What the client asked for cannot be done; the text says why."""


def describe(screens: list[QScreen]) -> str:
    """Screens for a message."""
    parts = []
    for index, screen in enumerate(screens):
        size = screen.geometry().size() * screen.devicePixelRatio()
        parts.append(f"{index} {screen.name()!r} {size.width()} × {size.height()}")
    return ", ".join(parts) or "none"


def find_screen(screens: list[QScreen], wanted: str) -> int:
    """Index of a screen given by its index or its name.

    Raises
    ------
    Refusal
        Names the screens that there are.
    """
    for index, screen in enumerate(screens):
        if wanted in (str(index), screen.name()):
            return index
    raise Refusal(f"there is no screen {wanted!r}; there are: {describe(screens)}")


def make_frame(image: Any, screen: QScreen) -> Any:
    """Make the window that shows one image, pixel for pixel, on a screen."""
    from PyQt6.QtCore import QPoint, QRect, Qt
    from PyQt6.QtGui import QColor, QPainter
    from PyQt6.QtWidgets import QWidget

    class Frame(QWidget):
        """Frameless, black around the image, without cursor or focus."""

        def __init__(self) -> None:
            super().__init__(
                None,
                Qt.WindowType.FramelessWindowHint
                | Qt.WindowType.WindowStaysOnTopHint
                | Qt.WindowType.WindowDoesNotAcceptFocus
                | Qt.WindowType.BypassWindowManagerHint,
            )
            self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
            self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
            self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.setCursor(Qt.CursorShape.BlankCursor)
            self.setScreen(screen)
            self.setGeometry(screen.geometry())
            self.image = image

        def paintEvent(self, event: Any) -> None:
            ratio = self.devicePixelRatioF()
            width, height = round(self.width() * ratio), round(self.height() * ratio)
            left = (width - self.image.width()) // 2
            top = (height - self.image.height()) // 2
            painter = QPainter(self)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            painter.scale(1.0 / ratio, 1.0 / ratio)
            if left or top:
                painter.fillRect(QRect(0, 0, width, height), QColor(0, 0, 0))
            painter.drawImage(QPoint(left, top), self.image)
            painter.end()

        def closeEvent(self, event: Any) -> None:
            event.ignore()  # a click must not let the particles go; "quit" ends the process

    return Frame()


class Stage:
    """What is shown; lives in the main thread."""

    def __init__(self, app: Any, index: int) -> None:
        self._app, self._index = app, index
        self._screen: QScreen = app.screens()[index]
        self._name = self._screen.name()
        self._frame: Any = None
        self._data = b""
        self.note: Any = None

    @property
    def shows(self) -> bool:
        """Whether an image is on show."""
        return self._frame is not None

    def facts(self) -> dict[str, Any]:
        """What a client wants to know of the screen."""
        screen = self._require_screen()
        size = screen.geometry().size() * screen.devicePixelRatio()
        return {
            "columns": size.width(),
            "rows": size.height(),
            "refresh": screen.refreshRate(),
            "index": self._index,
            "screen": self._name,
            "note": self.note,
            "shows": self.shows,
        }

    def show(self, header: dict[str, Any], data: bytes) -> dict[str, Any]:
        """Show an image and return when it is painted."""
        from PyQt6.QtGui import QImage

        columns, rows = int(header["columns"]), int(header["rows"])
        facts = self.facts()
        if len(data) != columns * rows or columns < 1:
            raise Refusal(f"{len(data)} bytes are no image of {columns} × {rows} pixels")
        if columns > facts["columns"] or rows > facts["rows"]:
            raise Refusal(
                f"an image of {columns} × {rows} pixels does not fit screen {self._name!r} of "
                f"{facts['columns']} × {facts['rows']}"
            )
        image = QImage(data, columns, rows, columns, QImage.Format.Format_Grayscale8)
        screen = self._require_screen()
        if self._frame is None:
            self._appear(make_frame(image, screen))
        frame = self._frame
        if frame.geometry() != screen.geometry():
            frame.setGeometry(screen.geometry())
        frame.image = image
        frame.repaint()
        self._app.processEvents()
        # Qt reads the bytes for as long as the image lives.
        self._data, self.note = data, header.get("note")
        return {}

    def grab(self, whole: bool) -> tuple[dict[str, Any], bytes]:
        """Read the pixels of the image, or of the whole screen, back from the screen."""
        from PyQt6 import sip
        from PyQt6.QtGui import QImage

        if self._frame is None:
            raise Refusal("nothing is shown")
        self._app.processEvents()
        screen = self._require_screen()
        area = screen.geometry()
        # On X the window's own identifier gives what the screen shows there, covers included; on
        # Windows it would give the window's contents, and 0 is the screen.
        window = sip.voidptr(0) if sys.platform == "win32" else self._frame.winId()
        shot = screen.grabWindow(window, 0, 0, area.width(), area.height()).toImage()
        if shot.isNull():
            raise Refusal("this system lets no program read the screen")
        if not whole:
            shown = self._frame.image
            left = (shot.width() - shown.width()) // 2
            top = (shot.height() - shown.height()) // 2
            shot = shot.copy(left, top, shown.width(), shown.height())
        shot = shot.convertToFormat(QImage.Format.Format_RGB888)
        header = {"columns": shot.width(), "rows": shot.height(), "stride": shot.bytesPerLine()}
        return header, shot.constBits().asstring(shot.sizeInBytes())

    def forget(self) -> dict[str, Any]:
        """Forget the note: what is shown is not what was sent."""
        self.note = None
        return {}

    def _require_screen(self) -> QScreen:
        """Screen, if it is still there."""
        if self._screen not in self._app.screens():
            raise Refusal(f"screen {self._name!r} is gone: check its cable")
        return self._screen

    def _appear(self, frame: Any) -> None:
        """Show the window and wait until it is on the screen."""
        frame.show()
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            self._app.processEvents()
            handle = frame.windowHandle()
            if handle is not None and handle.isExposed():
                self._frame = frame
                return
            time.sleep(0.005)
        frame.hide()
        frame.deleteLater()
        raise Refusal("the window did not appear within 2 s")
