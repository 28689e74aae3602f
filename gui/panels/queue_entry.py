"""Label and fields of the entry of a queue that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from ...models.errors import InputError
from ..plain import PlainLabel
from ..viewmodels.queue import Entry, label_of
from .plan_form import PlanForm

if TYPE_CHECKING:
    from ...acquisition.plans import Plan
    from ...acquisition.sweeps.plan import SweepPlan
    from ...models.light import TweezerState

__all__ = ["EntryEditor"]


class EntryEditor(QWidget):
    """Edits an entry that waits; what is typed and refused is kept with its entry.

    Parameters
    ----------
    light : callable
        The light that is.
    """

    edited = pyqtSignal()

    def __init__(self, light: Callable[[], TweezerState | None]) -> None:
        super().__init__()
        self.entry: Entry | None = None
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(5)
        self.label = QLineEdit()
        self.label.setPlaceholderText("label, the note of the run")
        self.label.setAccessibleName("label")
        self.label.editingFinished.connect(self._labelled)
        self.refused = PlainLabel()
        self.refused.setObjectName("refusal")
        self.refused.setWordWrap(True)
        self.refused.hide()
        self.form = PlanForm(light)
        self.form.changed.connect(self._changed)
        for widget in (self.label, self.refused, self.form):
            box.addWidget(widget)
        self.show_entry(None)

    def show_entry(self, entry: Entry | None) -> None:
        """Show an entry, after what was typed into the one before has been taken."""
        if entry is not self.entry or entry is None:
            self.settle()
            self.entry = entry
            self.label.setText("" if entry is None else entry.label)
            self.refused.hide()
            # The rest of a sweep is measured as it was begun.
            plan = None if entry is None or entry.resumes is not None else entry.plan
            self.form.show_plan(plan, None if entry is None else entry.drafts)
        waits = entry is not None and entry.waits
        self.setVisible(entry is not None)
        self.form.setEnabled(waits)
        self.label.setEnabled(waits)

    def settle(self) -> None:
        """Commit what was typed; what is refused is kept."""
        if self.entry is None or not self.entry.waits:
            return
        self.form.settle()
        self._labelled()
        self.keep_drafts()

    def keep_drafts(self) -> None:
        """Keep the texts that are not committed with the entry."""
        if self.entry is not None and self.entry.waits:
            self.entry.drafts = self.form.drafts()

    def _changed(self, plan: Plan | SweepPlan) -> None:
        entry = self.entry
        if entry is not None and entry.waits:
            entry.plan, entry.estimate, entry.reason = plan, None, ""
            entry.drafts = self.form.drafts()
            self.edited.emit()

    def _labelled(self) -> None:
        entry = self.entry
        if entry is None or not entry.waits or self.label.text().strip() == entry.label:
            return
        try:
            entry.label, said = label_of(self.label.text()), ""
        except InputError as error:
            said = str(error)
        self.refused.setText(said)
        self.refused.setVisible(bool(said))
        if not said:
            self.edited.emit()
