"""The phase diagram: its map, points, ghost, and the one command of a release."""

import math

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication

import optobind as ob
from optobind.acquisition.snapshots import LightPreview
from optobind.acquisition.sweeps.folder import SweepFolder, SweepHeader
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.gui.structure import faults_of
from optobind.gui.viewmodels.phase_map import REGIME_NAMES, phase_map, picture
from optobind.gui.viewmodels.phases import (
    PhasesModel,
    fitted_point,
    sweep_points,
    symmetry_view,
)
from optobind.models.errors import InputError
from optobind.models.light import Site, TweezerState


@pytest.fixture(scope="module")
def trap():
    return ob.load_trap("simulated-pair")


@pytest.fixture(scope="module")
def found(trap):
    return phase_map(trap, 1.9e-6, 3.0e-6)


def light(phi: float, distance: float = 2.6e-6) -> TweezerState:
    half = 0.5 * distance
    return TweezerState((Site((half, 0, 0), 0.2, phi), Site((-half, 0, 0), 0.2)))


# -- view-models ----------------------------------------------------------------------------------


def test_the_map_has_the_regimes_that_the_exact_couplings_have(trap, found):
    names = list(REGIME_NAMES)
    for i, j in ((20, 30), (100, 80), (150, 140), (60, 100)):
        state = trap.with_light(light(found.phi[i], found.separation[j]))
        regime = trap_regime(trap, found.phi[i], found.separation[j])
        number = int(found.regime[i, j])
        assert state is not None
        if number == 0:
            assert not any(regime.values())
        else:
            assert regime[names[number - 1]]


def trap_regime(trap, phi, separation):
    own = ob.array_regimes(trap, [phi], [separation]).regimes
    return {name: bool(flag[0, 0]) for name, flag in own.flags.items()}


def test_growth_is_marked_where_the_pair_is_unstable(trap, found):
    own = ob.array_regimes(trap, found.phi[[40, 130]], found.separation[[50, 120]])
    np.testing.assert_array_equal(found.grows[np.ix_([40, 130], [50, 120])], own.unstable)


def test_labels_lie_in_their_regions(found):
    names = list(REGIME_NAMES.values())
    assert {"reciprocal", "antireciprocal", "unidirectional"} <= {r.text for r in found.labels}
    for label in found.labels:
        i = int(np.abs(found.phi - label.phi).argmin())
        j = int(np.abs(found.separation - label.separation).argmin())
        assert names[found.regime[i, j] - 1] == label.text


def test_each_regime_has_a_colour_and_a_hatch_of_its_own(found):
    colors = {name: (10 * k, 0, 0) for k, name in enumerate(REGIME_NAMES, start=1)}
    image = picture(found, colors, (255, 255, 255))
    assert image.shape == (3 * found.phi.size, 3 * found.separation.size, 4)
    regime = np.repeat(np.repeat(found.regime, 3, 0), 3, 1)
    hatched = (image[..., 0] == 255) & (image[..., 3] == 110)
    shares = [hatched[regime == k].mean() for k in (1, 2, 3, 4)]
    assert shares[0] == 0.0
    assert all(0.03 < share < 0.3 for share in shares[1:])


def test_broken_phase_lies_between_the_exceptional_points():
    view = symmetry_view(500.0, 100.0, (2000.0, 700.0))
    place = int(np.abs(view.upper.y - 700.0).argmin())
    g_a = view.upper.y[place]
    assert abs(view.upper.x[place]) == pytest.approx(2.0 * math.sqrt(g_a**2 - 500.0**2))
    assert view.lower.y.max() <= -500.0
    assert view.span[0] > 2000.0
    at_rest = view.growth.y[np.abs(view.growth.x) < 250.0].min()
    assert at_rest == pytest.approx(math.hypot(500.0, 50.0), rel=0.05)


def test_the_trail_is_that_of_the_last_minute():
    model = PhasesModel()
    model.set_light(light(0.1), 0.0)
    model.set_light(light(0.2), 30.0)
    model.set_light(light(0.3), 80.0)
    assert model.trail(85.0).x.tolist() == [0.1, 0.1, 0.2, 0.2, 0.3]
    assert model.trail(100.0).x.tolist() == [0.2, 0.2, 0.3]
    assert model.trail(500.0).x.tolist() == [0.3]
    model.set_light(None, 81.0)
    assert model.live is None


def test_a_fit_becomes_a_point_with_the_ellipse_of_its_covariance(session):
    result = session.fit() or publish(session)
    point = fitted_point(result)
    names = list(result.varying)
    covariance = result.covariance
    a, b = names.index("omega_1"), names.index("omega_2")
    spread = covariance[a, a] + covariance[b, b] - 2.0 * covariance[a, b]
    assert point.covariance[0, 0] == pytest.approx(spread / (2 * math.pi) ** 2)
    outline = point.ellipse()
    assert np.ptp(outline.x) == pytest.approx(2.0 * math.sqrt(point.covariance[0, 0]), rel=1e-2)


def publish(session):
    session.publish()
    return session.fit().result


def test_points_of_a_sweep_are_planned_until_they_are_measured(tmp_path):
    plan = SweepPlan((Axis("phi", (0.0, 1.0, 2.0)),), ob.MonitorPlan(0.1))
    folder = SweepFolder.create(tmp_path / "s", SweepHeader(plan, "SIM", {}, light(0.0)))
    points = sweep_points(folder)
    assert [round(p.phi, 6) for p in points] == [0.0, 1.0, 2.0]
    assert {p.measured for p in points} == {False}
    assert points[0].separation == pytest.approx(2.6e-6)


# -- the panel ------------------------------------------------------------------------------------


@pytest.fixture
def panel(window, session, trap, found):
    session.rig.trap = trap
    panel = window.panels["phases"]
    panel.map, panel._key = found, ()
    panel._keep_map = lambda applied: None
    panel.distance.show_map(found, panel.theme)
    session.previewed = LightPreview(True, 12.0, {"g_r": 600.0, "g_a": 60.0})
    window.docks["phases"].show()
    window.docks["phases"].raise_()
    session.publish()
    tick(window)
    return panel


def tick(window, times=3):
    for _ in range(times):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()


def mouse(plot, kind, place, buttons=Qt.MouseButton.LeftButton):
    point = QPointF(plot.mapFromScene(plot.box.mapViewToScene(place)))
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    viewport = plot.viewport()
    event = QMouseEvent(
        kind, point, QPointF(viewport.mapToGlobal(point)), button, buttons,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)
    QApplication.processEvents()


def drag(plot, start, end, *, release=True):
    mouse(plot, QEvent.Type.MouseMove, start, Qt.MouseButton.NoButton)
    mouse(plot, QEvent.Type.MouseButtonPress, start)
    for share in (0.2, 0.5, 0.8, 1.0):
        mouse(plot, QEvent.Type.MouseMove, start + share * (end - start))
    if release:
        mouse(plot, QEvent.Type.MouseButtonRelease, end, Qt.MouseButton.NoButton)


def sent(session):
    return [call for call in session.calls if call[0] == "set_light"]


def test_dragging_shows_a_ghost_with_what_it_would_do_and_release_is_one_command(
    window, session, panel
):
    live = panel.model.live
    start = QPointF(live.phi, 1e6 * live.separation)
    goal = QPointF(live.phi + 0.6, 1e6 * live.separation + 0.15)
    drag(panel.distance, start, goal, release=False)
    assert sent(session) == []
    assert panel.note.text().startswith("trapped")
    assert "gᵣ" in panel.note.text()
    assert "UNSTABLE" in panel.note.text()
    rows = window.panels["light"].rows
    assert rows["phi"].edit.text() == rows["phi"].knob.text(panel.light.model.ghosts["phi"])
    mouse(panel.distance, QEvent.Type.MouseButtonRelease, goal, Qt.MouseButton.NoButton)
    assert len(sent(session)) == 1
    state = sent(session)[0][1]
    assert state.relative_phase == pytest.approx(goal.x(), abs=0.05)
    assert state.separation == pytest.approx(1e-6 * goal.y(), abs=2e-8)
    assert panel.light.model.ghosts == {}


def test_escape_gives_a_drag_up(window, session, panel, qtbot):
    live = panel.model.live
    start = QPointF(live.phi, 1e6 * live.separation)
    goal = QPointF(live.phi + 0.6, 1e6 * live.separation)
    drag(panel.distance, start, goal, release=False)
    qtbot.keyClick(panel, Qt.Key.Key_Escape)
    mouse(panel.distance, QEvent.Type.MouseButtonRelease, goal, Qt.MouseButton.NoButton)
    assert sent(session) == []
    assert panel.light.model.ghosts == {}
    assert panel.distance.ghost.pos().x() == pytest.approx(live.phi)


def test_a_run_that_holds_the_light_holds_the_star(window, session, panel):
    session.change(held_by="run 3")
    tick(window)
    assert not panel.distance.ghost.movable
    assert "held by run 3" in panel.note.text()
    with pytest.raises(InputError, match="held by run 3"):
        panel.light.model.commit_all({"phi": 0.0, "separation": 2e-6})


def test_the_second_diagram_shows_the_fit(window, session, panel):
    panel.choice.setCurrentIndex(1)
    tick(window)
    result = session.fit().result
    delta = (result.value("omega_2") - result.value("omega_1")) / (2 * math.pi)
    x, y = panel.symmetry.dot.getData()
    assert x[0] == pytest.approx(1e-3 * delta)
    assert y[0] == pytest.approx(1e-3 * result.value("g_a") / (2 * math.pi))
    assert "of the present light" in panel.note.text()


def test_nothing_is_cut_with_the_phase_diagram_in_front(window, panel):
    window.resize(1366, 768)
    window.use_preset("Run")
    window.docks["phases"].raise_()
    for index in (0, 1):
        panel.choice.setCurrentIndex(index)
        tick(window)
        assert [f for f in faults_of(window) if "leaves the screen" not in f] == []
