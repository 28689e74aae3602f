"""One object that colours the palette, the style sheet and every plot."""

from __future__ import annotations

from dataclasses import dataclass, field

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QGuiApplication, QPalette, QPen
from PyQt6.QtWidgets import QApplication

__all__ = ["DARK", "LIGHT", "Theme", "system_theme", "theme_named"]


@dataclass(frozen=True)
class Theme:
    """Colours of the window and its plots.

    Attributes
    ----------
    name : str
        "dark" or "light".
    window, base, raised, border, text, muted : str
        Surfaces, lines and writing.
    accent : str
        Selection and focus.
    particles : tuple of str
        Curves of particle 1 and 2 (Okabe–Ito), further channels follow.
    cross, fit, band : str
        Cross spectrum, fitted curves, fit band.
    references : tuple of str
        Stored traces.
    severities : dict
        Colours of "good", "warning", "error", "info", "rec" and of the modes.
    """

    name: str
    window: str
    base: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    particles: tuple[str, ...]
    cross: str
    fit: str
    band: str
    references: tuple[str, ...]
    severities: dict[str, str] = field(default_factory=dict)

    def color(self, severity: str) -> str:
        """Colour of a severity; plain text for none."""
        return self.severities.get(severity, self.text)

    def pen(
        self,
        color: str,
        *,
        style: Qt.PenStyle = Qt.PenStyle.SolidLine,
        alpha: int = 255,
        width: float = 1.0,
    ) -> QPen:
        """Return a cosmetic pen; wider ones than 1 px only for lines of few points."""
        tone = QColor(color)
        tone.setAlpha(alpha)
        pen = QPen(tone)
        pen.setWidthF(width)
        pen.setCosmetic(True)
        pen.setStyle(style)
        return pen

    def channel(self, index: int) -> str:
        """Colour of a channel."""
        return self.particles[index % len(self.particles)]

    def apply(self, app: QApplication) -> None:
        """Colour the application; styling is slow, so it is done when something changes."""
        if app.property("optobind-theme") == self.name:
            return
        app.setProperty("optobind-theme", self.name)
        app.setStyle("Fusion")
        app.setPalette(self._palette())
        app.setStyleSheet(self._sheet())

    def _palette(self) -> QPalette:
        palette = QPalette()
        role = QPalette.ColorRole
        for key, color in (
            (role.Window, self.window),
            (role.WindowText, self.text),
            (role.Base, self.base),
            (role.AlternateBase, self.raised),
            (role.ToolTipBase, self.raised),
            (role.ToolTipText, self.text),
            (role.Text, self.text),
            (role.PlaceholderText, self.muted),
            (role.Button, self.raised),
            (role.ButtonText, self.text),
            (role.BrightText, "#ffffff"),
            (role.Highlight, self.accent),
            (role.HighlightedText, "#ffffff"),
            (role.Link, self.accent),
            (role.Mid, self.border),
            (role.Dark, self.border),
            (role.Shadow, "#000000"),
        ):
            palette.setColor(key, QColor(color))
        for key in (role.Text, role.ButtonText, role.WindowText):
            palette.setColor(QPalette.ColorGroup.Disabled, key, QColor(self.muted))
        return palette

    def _sheet(self) -> str:
        return _SHEET.format(
            window=self.window,
            base=self.base,
            raised=self.raised,
            border=self.border,
            text=self.text,
            muted=self.muted,
            accent=self.accent,
            error=self.severities["error"],
        )


_SHEET = """
QMainWindow::separator {{ background: {window}; width: 5px; height: 5px; }}
QMainWindow::separator:hover {{ background: {accent}; }}
QDockWidget {{ color: {muted}; font-weight: 600; }}
QDockWidget::title {{ background: {window}; padding: 4px 6px 3px 6px; }}
QScrollArea {{ border: 1px solid {border}; border-radius: 4px; background: {base}; }}
QScrollArea > QWidget > QWidget#content {{ background: {base}; }}
QToolTip {{ border: 1px solid {border}; padding: 3px; }}
QPushButton, QToolButton {{
  background: {raised}; border: 1px solid {border}; border-radius: 4px; padding: 3px 9px;
  min-height: 16px; }}
QToolButton {{ padding: 2px 6px; }}
QPushButton:hover:enabled, QToolButton:hover:enabled {{ border-color: {accent}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {border}; }}
QPushButton:checked, QToolButton:checked {{
  background: {accent}; color: #ffffff; border-color: {accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {muted}; background: {window}; }}
QPushButton#danger:enabled {{ border-color: {error}; color: {error}; }}
QPushButton#primary:enabled {{ background: {accent}; color: #ffffff; border-color: {accent}; }}
QLineEdit {{
  background: {window}; border: 1px solid {border}; border-radius: 4px; padding: 2px 5px;
  min-height: 17px; selection-background-color: {accent}; }}
QLineEdit:focus {{ border-color: {accent}; }}
QLineEdit[invalid="true"] {{ border-color: {error}; }}
QLineEdit:disabled {{ color: {muted}; }}
QComboBox {{ padding: 2px 5px; min-height: 17px; }}
QTableWidget {{ background: {base}; border: none; gridline-color: {border}; }}
QHeaderView {{ background: {base}; border: none; }}
QHeaderView::section {{
  background: {base}; color: {muted}; border: none; border-bottom: 1px solid {border};
  padding: 3px 5px; }}
QTableWidget::item {{ padding: 1px 5px; }}
QProgressBar {{
  background: {window}; border: 1px solid {border}; border-radius: 4px; text-align: center;
  min-height: 16px; max-height: 18px; }}
QProgressBar::chunk {{ background: {accent}; border-radius: 3px; }}
QStatusBar {{ background: {window}; }}
QStatusBar::item {{ border: none; }}
QTabBar::tab {{
  background: {window}; color: {muted}; padding: 4px 10px; border: 1px solid {border};
  border-bottom: none; border-top-left-radius: 4px; border-top-right-radius: 4px; }}
QTabBar::tab:selected {{ background: {base}; color: {text}; }}
QMenuBar, QMenu {{ background: {window}; }}
QMenu {{ border: 1px solid {border}; }}
QMenu::item:selected, QMenuBar::item:selected {{ background: {accent}; color: #ffffff; }}
QLabel#hint {{ color: {muted}; }}
QLabel#refusal {{ color: {error}; }}
QCheckBox {{ spacing: 6px; }}
QCheckBox::indicator, QTableWidget::indicator {{
  width: 11px; height: 11px; border: 1px solid {muted}; border-radius: 3px;
  background: {window}; }}
QCheckBox::indicator:checked, QTableWidget::indicator:checked {{
  background: {accent}; border: 1px solid {text}; }}
QCheckBox::indicator:disabled {{ border-color: {border}; }}
"""

DARK = Theme(
    name="dark",
    window="#16191f",
    base="#1d2129",
    raised="#2a303b",
    border="#39414f",
    text="#e3e7ee",
    muted="#93a0b4",
    accent="#2f7fc1",
    particles=("#56b4e9", "#e69f00", "#cc79a7", "#009e73"),
    cross="#26c99a",
    fit="#ffffff",
    band="#f0e442",
    references=("#8d99ae", "#b39ddb", "#90a98d", "#c5a880"),
    severities={
        "good": "#2fbf8f",
        "warning": "#f0c542",
        "error": "#ff7043",
        "info": "#93a0b4",
        "rec": "#ff5a52",
        "live": "#2fbf8f",
        "sim": "#56b4e9",
        "replay": "#cc79a7",
        "off": "#5b6474",
        "busy": "#f0c542",
        "bad": "#ff7043",
    },
)

LIGHT = Theme(
    name="light",
    window="#eef0f4",
    base="#ffffff",
    raised="#f7f8fa",
    border="#c9ced8",
    text="#1b1f27",
    muted="#5d6878",
    accent="#0072b2",
    particles=("#0072b2", "#d55e00", "#b0558a", "#007a5a"),
    cross="#009e73",
    fit="#000000",
    band="#b89b00",
    references=("#6b7688", "#7e6bb0", "#5f7f5c", "#96754c"),
    severities={
        "good": "#00805c",
        "warning": "#946c00",
        "error": "#c03a00",
        "info": "#5d6878",
        "rec": "#c62828",
        "live": "#00805c",
        "sim": "#0072b2",
        "replay": "#a04a7e",
        "off": "#a2aab8",
        "busy": "#c79a00",
        "bad": "#c03a00",
    },
)


def theme_named(name: str) -> Theme:
    """Return the theme of a name; that of the system for "system", dark for an unknown name."""
    if name == "system":
        return system_theme()
    return LIGHT if name == "light" else DARK


def system_theme() -> Theme:
    """Return the theme that the desktop asks for; the dark one where it does not say."""
    hints = QGuiApplication.styleHints()
    light = hints is not None and hints.colorScheme() is Qt.ColorScheme.Light
    return LIGHT if light else DARK
