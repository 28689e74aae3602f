"""The phase diagram: drag the live point to see what a light would do, release to set it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QComboBox, QFileDialog, QStackedWidget, QToolButton

from ...acquisition.snapshots import FitSnapshot
from ...models.errors import InputError
from ..background import in_background
from ..bridge import Bridge
from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.light import KnobName, python_line
from ..viewmodels.phase_map import PhaseMap, phase_map
from ..viewmodels.phases import (
    DiagramPoint,
    PhasesModel,
    constants_text,
    plan_points,
    sweep_points,
    symmetry_view,
)
from ..viewmodels.port import SessionPort
from ..viewmodels.standing import Standing
from ..widgets.flow import FlowBox
from ..widgets.restyle import restyle
from .base import Panel, hint
from .light import LightPanel
from .phases_plots import DistancePlot, SymmetryPlot

if TYPE_CHECKING:
    from ...acquisition.sweeps.plan import SweepPlan
    from ...acquisition.sweeps.rows import Row
    from ...models.light import TweezerState

__all__ = ["PhasesPanel"]

_MAPS = ("φ × distance", "δω × gₐ")
_LEGENDS = (
    "★ light   ● measured   ○ planned   ━ amplitudes begin to grow   ┄ last 60 s",
    "● fit ± 1σ   · last 60 s   + predicted   ━ exceptional points   ╌ amplitudes begin to grow",
)
_POWER_SHARE = 0.02  # of the powers; a map is computed anew beyond


class PhasesPanel(Panel):
    """Fig. 3 of the Letter for this rig, with the light that is and the light that may be."""

    name = "phases"
    title = "Phase diagram"
    period = 0.2
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.model = PhasesModel()
        self.light: LightPanel | None = None
        self.map: PhaseMap | None = None
        self._computing: Future[PhaseMap] | None = None
        self._placing: Future[list[DiagramPoint]] | None = None
        self._previewed = False  # the sweep that is drawn is only chosen in the queue
        self._key: Hashable = None
        self._fit: FitSnapshot | None = None
        self.choice = QComboBox()
        self.choice.addItems(_MAPS)
        self.choice.setToolTip("which of the two diagrams of Fig. 3 is shown")
        self.choice.currentIndexChanged.connect(self._switch)
        self.sweep_button = QToolButton()
        self.sweep_button.setText("Sweep …")
        self.sweep_button.setToolTip("draw the points of a sweep: planned hollow, measured filled")
        self.sweep_button.clicked.connect(self._ask_sweep)
        self.clear_button = QToolButton()
        self.clear_button.setText("Clear")
        self.clear_button.setToolTip("drop the points of the sweep and those that were measured")
        self.clear_button.clicked.connect(self.clear_points)
        self.body.addWidget(FlowBox(self.choice, self.sweep_button, self.clear_button))
        self.distance, self.symmetry = DistancePlot(), SymmetryPlot()
        self.stack = QStackedWidget()
        self.stack.addWidget(self.distance)
        self.stack.addWidget(self.symmetry)
        self.body.addWidget(self.stack, 1)
        self.legend = PlainLabel(_LEGENDS[0])
        self.legend.setObjectName("hint")
        self.legend.setWordWrap(True)
        self.body.addWidget(self.legend)
        self.note = hint()
        self.body.addWidget(self.note)
        ghost = self.distance.ghost
        ghost.sigPositionChanged.connect(lambda _: self._dragged())
        ghost.sigPositionChangeFinished.connect(lambda _: self._released())
        bridge.status_changed.connect(lambda _: self.show_note())
        self.set_theme(theme)

    def attach(self, light: LightPanel) -> None:
        """Share knobs, ghosts and commands with the light panel."""
        self.light = light

    # -- drawing ----------------------------------------------------------------------------------

    def pull(self, session: SessionPort) -> Any:
        """Take light and fit; the diagram is of a pair whose particles the rig knows."""
        self._fit = session.fit()
        return session.light()

    def key(self, snapshot: Any) -> Hashable:
        """What moves a point or the map; once a second the trail."""
        fit = -1 if self._fit is None else self._fit.sequence
        done = self._computing is not None and self._computing.done()
        second = int(self.bridge.clock())
        ghost = self.distance.ghost.pos()
        return snapshot, fit, done, second, self.stack.currentIndex(), (ghost.x(), ghost.y())

    def draw(self, snapshot: Any) -> None:
        """Draw the diagram that is in front."""
        now, model = self.bridge.clock(), self.model
        applied = None if snapshot.applied is None else snapshot.applied.state
        model.set_light(applied, now)
        fresh = self.bridge.standing.now in (Standing.FRESH, Standing.STALE)
        result = None if self._fit is None or not fresh else self._fit.result
        model.set_fit(result, now)
        if self.stack.currentIndex() == 0:
            self._draw_distance(applied, now)
        else:
            self._draw_symmetry(now)
        self.show_note()

    def _draw_distance(self, applied: Any, now: float) -> None:
        self._keep_map(applied)
        plot, model = self.distance, self.model
        plot.show_trail(model.trail(now))
        plot.show_points([*model.sweep, *model.measured])
        movable = self._movable()
        dragging = plot.ghost.moving
        if not dragging:
            plot.place(model.live)
        plot.ghost.movable = movable
        plot.star.setVisible(model.live is not None)

    def _movable(self) -> bool:
        panel = self.light
        if panel is None or self.bridge.recorded or self.model.live is None:
            return False
        return panel.model.enabled("phi") and panel.model.enabled("separation")

    def _draw_symmetry(self, now: float) -> None:
        values = self._constants()
        point = self.model.fitted
        if values is None:
            self.symmetry.clear()
            return
        g_r = values["g_r"] / math.tau
        gamma = 0.5 * (values.get("gamma_1", 0.0) + values.get("gamma_2", 0.0)) / math.tau
        delta = (values["omega_2"] - values["omega_1"]) / math.tau
        g_a = values["g_a"] / math.tau
        reach = (abs(delta), abs(g_a))
        self.symmetry.show_view(symmetry_view(g_r, gamma, reach))
        self.symmetry.show_fit(point, self.model.fits(now), (delta, g_a))

    def _constants(self) -> dict[str, float] | None:
        """Constants of the present light, fitted if there is a fit of it, else predicted."""
        known = self.bridge.session.prediction()
        values = dict(known) if known else {}
        if self.model.fitted is not None and self._fit is not None and self._fit.result is not None:
            values.update({n: p.value for n, p in self._fit.result.parameters.items()})
        return values if {"g_r", "g_a", "omega_1", "omega_2"} <= set(values) else None

    # -- the map ----------------------------------------------------------------------------------

    def _keep_map(self, applied: Any) -> None:
        """Have the map computed where there is none of these powers and distances."""
        trap = self.bridge.session.rig.trap
        if trap is None or len(trap.spheres) != 2:
            return
        if self._computing is not None:
            if not self._computing.done():
                return
            future, self._computing = self._computing, None
            error = future.exception()
            if error is None:
                self.map = future.result()
                self.distance.show_map(self.map, self.theme)
            else:
                self.bridge.log.write("error", f"phase diagram: {error}")
        lit = trap if applied is None or len(applied.sites) < 2 else trap.with_light(applied)
        powers = tuple(round(math.log(b.power) / _POWER_SHARE) for b in lit.tweezers)
        low, high = self.model.distances(lit)
        inside = self.map is not None and self._inside()
        if self._key is not None and powers == self._key and inside:
            return
        self._key = powers
        self._computing = in_background(lambda: phase_map(lit, low, high))

    def _inside(self) -> bool:
        """Whether the live point is in sight."""
        live, found = self.model.live, self.map
        if live is None or found is None:
            return True
        return bool(found.separation[0] <= live.separation <= found.separation[-1])

    # -- dragging ---------------------------------------------------------------------------------

    def _dragged(self) -> None:
        """Move the ghosts of both knobs; the light panel and the note say what that would do."""
        panel, ghost = self.light, self.distance.ghost
        if panel is None or not ghost.moving:
            return
        self.setFocus()
        phi, separation = ghost.pos().x(), 1e-6 * ghost.pos().y()
        panel.drag({"phi": phi, "separation": separation})
        self.show_note()

    def _released(self) -> None:
        """One limited command for both knobs."""
        panel = self.light
        if panel is None or not {"phi", "separation"} <= set(panel.model.ghosts):
            return
        values: dict[KnobName, float] = {
            name: panel.model.ghosts[name] for name in ("phi", "separation")
        }
        try:
            state = panel.model.commit_all(values)
        except InputError as error:
            self.bridge.log.write("error", f"phase diagram: {error}")
            self.cancel()
            return
        panel.light_sender.send(
            "set φ and distance", state, python_line(values), lambda _: panel.refresh()
        )
        panel.refresh()
        self.repaint_soon()

    def cancel(self) -> None:
        """Drop the ghost; nothing is sent."""
        self.distance.ghost.let_go()
        if self.light is not None:
            self.light.cancel(("phi", "separation"))
        self.distance.place(self.model.live)
        self.show_note()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape cancels a drag."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.cancel()
        else:
            super().keyPressEvent(event)

    def show_note(self) -> None:
        """Say what the ghost would do, or what is drawn."""
        text, severity = self._note()
        self.note.setText(text)
        color = self.theme.muted if severity == "info" else self.theme.color(severity)
        restyle(self.note, f"color: {color}")

    def _note(self) -> tuple[str, str]:
        trap = self.bridge.session.rig.trap
        if trap is None or len(trap.spheres) != 2:
            return "The phase diagram is of a pair: this rig tells no two particles.", "info"
        if self.stack.currentIndex() == 1:
            return constants_text(self._constants()), "info"
        panel = self.light
        if panel is not None and {"phi", "separation"} <= set(panel.model.ghosts):
            return panel.ghost_text()
        if self.map is None:
            return "computing the map of this rig …", "info"
        if self.bridge.recorded:
            return "RECORD, read only: the light at the end of the stretch.", "info"
        held = self.bridge.status.held_by
        if held is not None:
            return f"held by {held}", "info"
        return "Drag the star: release sets the light, Esc cancels.", "info"

    # -- points -----------------------------------------------------------------------------------

    def choose_sweep(self) -> Path | None:
        """Ask for the folder of a sweep."""
        name = QFileDialog.getExistingDirectory(self, "Folder of a sweep")
        return Path(name) if name else None

    def _ask_sweep(self) -> None:
        path = self.choose_sweep()
        if path is not None:
            self.open_sweep(path)

    def open_sweep(self, path: Path) -> None:
        """Draw the points of a sweep."""

        def read() -> list[DiagramPoint]:
            from ...acquisition.sweeps.folder import SweepFolder

            return sweep_points(SweepFolder(path))

        self._show_points(f"open sweep {path.name}", read)

    def preview(self, plan: SweepPlan | None) -> None:
        """Draw what a sweep would measure from the present light; None for no sweep."""
        applied = self.bridge.session.light().applied
        if plan is not None and applied is not None:
            self.show_sweep(plan, applied.state, previewed=True)
        elif self._previewed:
            self._show_points("", list)

    def show_sweep(
        self,
        plan: SweepPlan,
        light: TweezerState,
        rows: Sequence[Row] = (),
        *,
        previewed: bool = False,
    ) -> None:
        """Draw the points of a sweep that begins with a light; those with rows as measured."""

        def place() -> list[DiagramPoint]:
            try:
                return plan_points(plan, light, rows)
            except InputError:
                return []  # the queue says what is wrong with it

        self._show_points("points of the sweep", place)
        self._previewed = previewed

    def _show_points(self, label: str, place: Callable[[], list[DiagramPoint]]) -> None:
        """Have points placed in a thread; the newest question counts."""
        self._placing = future = in_background(place)
        self._previewed = False

        def done(error: BaseException | None) -> None:
            if error is None and future is self._placing:
                self.model.sweep = future.result()
                self.repaint_soon()

        self.bridge.submit(label, lambda: future, done=done)

    def clear_points(self) -> None:
        """Drop the points of the sweep and those that were measured."""
        self.model.sweep, self.model.measured = [], []
        self.repaint_soon()

    def _switch(self, index: int) -> None:
        self.stack.setCurrentIndex(index)
        self.legend.setText(_LEGENDS[index])
        self.repaint_soon()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.distance.set_theme(theme)
        self.symmetry.set_theme(theme)
        if self.map is not None:
            self.distance.show_map(self.map, theme)
        self.repaint_soon()
