"""The fields of a plan: typed, chosen and switched, each with its unit, reason and tip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...acquisition.plans import PLANS, STEPS, SequencePlan
from ...acquisition.sweeps.knobs import knob_names
from ...acquisition.sweeps.plan import SweepPlan
from ...models.errors import InputError
from ..plain import PlainLabel, plain_tip
from ..viewmodels import plan_edits as edits
from ..viewmodels.plan_fields import FieldGroup, PlanField, groups_of
from ..widgets.choice_box import ChoiceBox
from ..widgets.quantity_edit import QuantityEdit, with_reason

if TYPE_CHECKING:
    from ...acquisition.plans import Plan
    from ...models.light import TweezerState

    AnyPlan = Plan | SweepPlan
    Path = tuple[str | int, ...]

__all__ = ["PlanForm"]


class PlanForm(QWidget):
    """Shows a plan and changes it; what is refused stays in its field, with the reason.

    Parameters
    ----------
    light : callable
        The light that is: new axes begin about it.

    Attributes
    ----------
    plan : Plan or SweepPlan or None
        As it is now.
    edits : dict
        Fields that are typed, by their places in the plan.
    choices : dict
        Fields that are chosen, by their places.
    """

    changed = pyqtSignal(object)

    def __init__(self, light: Callable[[], TweezerState | None]) -> None:
        super().__init__()
        self.plan: AnyPlan | None = None
        self.edits: dict[Path, QuantityEdit] = {}
        self.choices: dict[Path, QComboBox] = {}
        self._fields: dict[Path, PlanField] = {}
        self._light = light
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(4)
        self.more = QToolButton()
        self.more.setText("more")
        self.more.setCheckable(True)
        self.more.setToolTip("show the keys that are seldom needed, too")
        self.more.toggled.connect(lambda on: self._show_more(on))
        self._seldom: list[QWidget] = []
        self.refused = PlainLabel()
        self.refused.setObjectName("refusal")
        self.refused.setWordWrap(True)
        self._box.addWidget(self.refused)
        self._content = QWidget()
        self._box.addWidget(self._content)
        self._box.addWidget(self.more)
        self.show_plan(None)

    # -- showing ----------------------------------------------------------------------------------

    def show_plan(self, plan: AnyPlan | None, drafts: dict[Path, str] | None = None) -> None:
        """Show a plan, None for nothing; ``drafts`` are texts that were refused before."""
        self.plan = plan
        self.edits, self.choices, self._fields, self._seldom = {}, {}, {}, []
        self._say("")
        self._content.hide()
        self._box.removeWidget(self._content)
        self._content.deleteLater()
        self._content = QWidget()
        box = QVBoxLayout(self._content)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        groups = () if plan is None else groups_of(plan)
        for group in groups:
            box.addWidget(self._of_group(group, alone=len(groups) <= 2))
        if plan is not None:
            box.addWidget(self._structure(plan))
        self._box.insertWidget(1, self._content)
        self.more.setVisible(bool(self._seldom))
        self._show_more(self.more.isChecked())
        for path, text in (drafts or {}).items():
            edit = self.edits.get(path)
            if edit is not None:
                edit.setText(text)
                edit.setModified(True)
                edit.commit()

    def _of_group(self, group: FieldGroup, *, alone: bool) -> QWidget:
        """Title and fields of a group."""
        host = QWidget()
        form = QFormLayout(host)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        if not alone or group.more:
            form.addRow(self._head(group))
        for field in group.fields:
            self._fields[field.path] = field
            title = PlainLabel(field.title)
            title.setToolTip(field.tip)
            form.addRow(title, self._widget(field))
        if group.more:
            self._seldom.append(host)
        return host

    def _head(self, group: FieldGroup) -> QWidget:
        """Title of a group, and what can be done with it."""
        head = QWidget()
        box = QHBoxLayout(head)
        box.setContentsMargins(0, 2, 0, 0)
        title = PlainLabel(group.title)
        title.setObjectName("hint")
        title.setWordWrap(True)
        box.addWidget(title, 1)
        if group.kind == "axis":
            box.addWidget(self._knob(group.index))
        if group.kind in ("step", "axis") and not group.more:
            remove = QToolButton()
            remove.setText("×")
            remove.setToolTip(f"take this {group.kind} out")
            remove.setAccessibleName(f"remove {group.kind} {group.index + 1}")
            remove.clicked.connect(
                lambda _=False, g=group: self._restructure(
                    lambda plan: edits.without(plan, g.kind, g.index)
                )
            )
            box.addWidget(remove)
        return head

    def _widget(self, field: PlanField) -> QWidget:
        if field.words:
            return self._choice(field)
        edit = QuantityEdit(field.parse, field.text)
        edit.set_value(field.value)
        edit.set_tip(field.tip)
        edit.setAccessibleName(field.title)
        if field.optional:
            edit.setPlaceholderText(field.blank)
        edit.committed.connect(lambda value, f=field, e=edit: self._typed(f, e, value))
        self.edits[field.path] = edit
        return with_reason(edit)

    def _choice(self, field: PlanField) -> QComboBox:
        choice = ChoiceBox()
        choice.addItems(field.words)
        choice.setCurrentText(field.text(field.value))
        choice.setToolTip(plain_tip(field.tip))
        choice.setAccessibleName(field.title)
        choice.activated.connect(lambda _, f=field, c=choice: self._chosen(f, c))
        self.choices[field.path] = choice
        return choice

    def _structure(self, plan: AnyPlan) -> QWidget:
        """What makes a sequence or a sweep longer."""
        host = QWidget()
        box = QHBoxLayout(host)
        box.setContentsMargins(0, 0, 0, 0)
        if isinstance(plan, SequencePlan):
            for kind in STEPS:
                button = self._button(f"+ {kind}", f"one more step: {kind}")
                button.clicked.connect(
                    lambda _=False, k=kind: self._restructure(lambda p: edits.with_step(p, k))
                )
                box.addWidget(button)
        elif plan.kind == "sweep" and isinstance(plan, SweepPlan):
            axis = self._button("+ axis", "sweep one more knob, the innermost")
            axis.clicked.connect(lambda _: self._add_axis())
            box.addWidget(axis)
            inner = ChoiceBox()
            inner.addItems(tuple(PLANS))
            inner.setCurrentText(plan.inner.kind)
            inner.setToolTip("what is measured at each point")
            inner.activated.connect(
                lambda _: self._restructure(lambda p: edits.with_inner(p, inner.currentText()))
            )
            box.addWidget(inner)
        box.addStretch(1)
        return host

    @staticmethod
    def _button(text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        return button

    def _knob(self, index: int) -> QComboBox:
        """Choice of the knob of an axis."""
        assert isinstance(self.plan, SweepPlan)
        own = self.plan.axes[index].knob
        choice = ChoiceBox()
        known = [name for name in knob_names() if not name.endswith("_N")]
        choice.addItems(known if own in known else [*known, own])
        choice.setCurrentText(own)
        choice.setToolTip("which knob this axis turns")
        choice.activated.connect(
            lambda _: self._restructure(
                lambda p: edits.with_knob(
                    p,
                    index,
                    choice.currentText(),
                    self._light(),
                )
            )
        )
        return choice

    def _show_more(self, on: bool) -> None:
        for widget in self._seldom:
            widget.setVisible(on)

    # -- changing ---------------------------------------------------------------------------------

    def _typed(self, field: PlanField, edit: QuantityEdit, value: Any) -> None:
        error = self._put(field, value)
        if error:
            edit.refuse(error)

    def _chosen(self, field: PlanField, choice: QComboBox) -> None:
        error = self._put(field, field.parse(choice.currentText()))
        if error:
            choice.setCurrentText(field.text(self._fields[field.path].value))
        self._say(error)

    def _put(self, field: PlanField, value: Any) -> str:
        """Change one value; return why that makes no plan, "" if it does."""
        assert self.plan is not None
        try:
            plan = edits.changed(self.plan, field.path, value)
        except InputError as error:
            return str(error)
        self.plan = plan
        for group in groups_of(plan):
            self._fields.update({f.path: f for f in group.fields})
        self._say("")
        self.changed.emit(plan)
        return ""

    def _restructure(self, edit: Callable[[Any], AnyPlan]) -> None:
        """Change what fields there are; text that is refused is kept where its field stays."""
        assert self.plan is not None
        try:
            plan, error = edit(self.plan), ""
        except InputError as refused:
            plan, error = self.plan, str(refused)
        drafts = self.drafts()
        self.show_plan(plan, drafts)
        self._say(error)
        if not error:
            self.changed.emit(plan)

    def _add_axis(self) -> None:
        """Sweep the first knob that has no axis."""
        plan = self.plan
        assert isinstance(plan, SweepPlan)
        taken = [axis.knob for axis in plan.axes]
        free = [n for n in knob_names() if n not in taken and not n.endswith("_N")]
        if free:
            self._restructure(lambda p: edits.with_axis(p, free[0], self._light()))

    def _say(self, text: str) -> None:
        self.refused.setText(text)
        self.refused.setVisible(bool(text))

    # -- what was typed ---------------------------------------------------------------------------

    def settle(self) -> None:
        """Commit what was typed in any field."""
        for edit in list(self.edits.values()):
            edit.settle()

    def drafts(self) -> dict[Path, str]:
        """Texts that are refused, by their places."""
        return {path: edit.text() for path, edit in self.edits.items() if edit.pending}
