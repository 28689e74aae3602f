"""Phase space: quadratures, velocity, calibrated units, the fitted ellipse, rude samples."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_session import linear
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.snapshots import TraceSnapshot, TrackSnapshot
from optobind.gui.structure import faults_of
from optobind.gui.viewmodels.phase_space import (
    PIXELS,
    PhaseSpaceModel,
    ellipse_of,
    lines_of,
    phasor,
)
from optobind.gui.viewmodels.spectra_units import ChannelScales
from optobind.instruments.rig import DetectorChannel
from optobind.models.constants import HBAR

RATE, LINE = 2e6, 75e3


def trace(first=0, number=1, *, phase=0.4, amplitude=0.3, n=20_000, noise=0.0, line=LINE):
    t = (first + np.arange(n)) / RATE
    z = amplitude * np.cos(2 * np.pi * line * t + phase)
    z = z + noise * np.random.default_rng(number).normal(size=n)
    volts = np.stack([z, 2.0 * z], axis=1).astype(np.float32)
    return TraceSnapshot(number, first, RATE, volts, ("z1 out", "z2 out"))


def views(model, snapshot, scales=None, now=0.0, lines=(LINE, LINE)):
    return model.views(snapshot, [0, 1], lines, scales or ChannelScales(), now)


def test_quadratures_of_a_steady_motion_stand_still_from_snapshot_to_snapshot():
    wanted = 0.3 * np.exp(-0.4j)
    for first in (0, 123_457, 10**11 + 7):
        snapshot = trace(first)
        a = phasor(snapshot.volts[:, 0].astype(float), first, RATE, LINE, rotating=True)
        np.testing.assert_allclose(a, wanted, atol=2e-3 if first < 10**9 else 2e-2)


def test_velocity_is_the_derivative_over_omega_and_noise_outside_the_band_is_left_out():
    snapshot = trace(noise=0.3)
    a = phasor(snapshot.volts[:, 0].astype(float), 0, RATE, LINE, rotating=False)
    t = (2000 + np.arange(len(a))) / RATE
    clean = 0.3 * np.exp(-1j * (2 * np.pi * LINE * t + 0.4))
    rest = np.sqrt(np.mean(np.abs(a - clean) ** 2))
    assert rest < 0.5 * 0.3  # the derivative of white noise alone would be many times larger


def test_the_density_lies_where_the_particle_is_and_fades():
    model = PhaseSpaceModel()
    first, second = views(model, trace())
    place = np.unravel_index(first.density.argmax(), first.density.shape)
    x = (np.array(place[::-1]) + 0.5) * 2.0 / PIXELS - 1.0
    np.testing.assert_allclose(
        first.reach * x, [0.3 * math.cos(0.4), -0.3 * math.sin(0.4)], atol=0.02
    )
    assert second.reach == 2.0 * first.reach or second.reach > first.reach
    moved = views(model, trace(20_000, 2, phase=2.0), now=100.0)[0]
    assert moved.density[place] <= 1


def test_metres_where_calibrated_else_volts():
    model = PhaseSpaceModel()
    assert views(model, trace())[0].unit == "V"
    scales = ChannelScales(np.array([1e-7, -1e-7]))
    found = views(PhaseSpaceModel(), trace(), scales)
    assert found[0].unit == "m"
    assert found[0].reach == pytest.approx(4e-8)
    assert found[1].path.x.mean() < 0.0 < found[0].path.x.mean()  # the sign of the polarity


def test_the_frame_keeps_its_frequency_until_the_line_has_moved():
    model = PhaseSpaceModel()
    assert views(model, trace())[0].frequency == LINE
    assert views(model, trace(20_000, 2), lines=(LINE * 1.0005, LINE))[0].frequency == LINE
    moved = views(model, trace(40_000, 3), lines=(LINE * 1.01, LINE))[0]
    assert moved.frequency == LINE * 1.01


@pytest.mark.parametrize("rude", ["nan", "short", "zero", "slow", "none"])
def test_rude_samples_are_no_motion(rude):
    snapshot, lines = trace(), (LINE, LINE)
    if rude == "nan":
        snapshot.volts[5, :] = np.nan
    elif rude == "short":
        snapshot = trace(n=200)
    elif rude == "zero":
        snapshot = trace(amplitude=0.0)
    elif rude == "slow":
        snapshot = replace(snapshot, sample_rate=1e5)  # the line lies beyond its band
    else:
        lines = ()
    assert views(PhaseSpaceModel(), snapshot, lines=lines) == ()


def test_memory_stays_and_a_new_stream_or_other_channels_begin_anew():
    model = PhaseSpaceModel()
    for k in range(50):
        views(model, trace(20_000 * k, k, phase=0.1 * k), now=0.1 * k)
    assert [p.density.shape for p in model._particles] == [(PIXELS, PIXELS)] * 2
    full = int((views(model, trace(10**6, 60), now=5.1)[0].density > 0).sum())
    new = int((views(model, trace(0, 1), now=5.2)[0].density > 0).sum())
    assert new < full
    assert len(model.views(trace(10, 2), [0], [LINE], ChannelScales(), 5.3)) == 1


def test_lines_are_fitted_else_predicted(session):
    result = session.make_fit().result
    assert lines_of(result, {"omega": 1.0})[0] == pytest.approx(LINE, rel=0.05)
    assert lines_of(None, {"omega": 2 * math.pi * 5.0}) == (5.0,)
    assert lines_of(None, None) == ()


def test_the_ellipse_is_that_of_the_fitted_state(session):
    result = session.make_fit().result
    masses = (1e-17, 2e-17)
    z = ellipse_of(result, masses, 0, "m", rotating=False)
    omega = 0.5 * sum(result.parameters[f"omega_{j}"].value for j in (1, 2))
    zero_point = math.sqrt(HBAR / (masses[0] * omega))
    spread = np.abs(z.x).max() / zero_point
    expected = linear().steady_state()[0, 0]  # the model that made the spectra
    assert spread**2 == pytest.approx(expected, rel=0.35)
    circle = ellipse_of(result, masses, 1, "m", rotating=True)
    np.testing.assert_allclose(np.hypot(circle.x, circle.y), np.hypot(circle.x, circle.y)[0])
    assert ellipse_of(result, None, 0, "m", rotating=True) is None
    assert ellipse_of(result, masses, 0, "V", rotating=True) is None  # quanta are no volts
    assert ellipse_of(None, masses, 0, "m", rotating=True) is None


# -- in the window --------------------------------------------------------------------------------


def tick(window, times=1):
    for _ in range(times):
        now = window.bridge.clock() + 0.5
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()


@pytest.fixture
def panel(window, session):
    session.rig.detectors = (
        DetectorChannel(0, "z1 out", 0, "out_of_loop", 1e7, 1),
        DetectorChannel(1, "z2 out", 1, "out_of_loop", 1e7, -1),
    )
    session.publish()
    window.docks["phase_space"].show()
    window.docks["phase_space"].raise_()
    tick(window, 2)
    return window.panels["phase_space"]


def test_each_particle_has_a_plot_in_calibrated_units(window, session, panel):
    assert len(panel.plots) == 2
    assert "nm" in panel.plots[0].name_of("bottom")
    assert "X" in panel.plots[0].name_of("bottom")
    assert panel.plots[0].path.getData()[0].size > 100
    (left, right), (low, high) = panel.plots[0].box.viewRange()
    assert left == pytest.approx(-right, rel=0.05)
    assert low == pytest.approx(-high, rel=0.05)
    panel.axes.activated.emit(1)
    session.publish()
    tick(window, 2)
    assert "ż/ω" in panel.plots[0].name_of("left")


def test_the_ellipse_is_drawn_while_a_tracker_runs(window, session, panel):
    assert (
        panel.plots[0].ellipse.getData()[0] is None or not panel.plots[0].ellipse.getData()[0].size
    )
    assert "Track" in panel.note.text()
    result = session.fit().result
    session._fit = replace(
        session._fit, result=replace(result, input={"unit": "m", "band": [6e4, 9e4]})
    )
    shown = session.trace()
    session._track = TrackSnapshot(
        3, 0, RATE, shown.channels, shown.volts, shown.volts, np.ones(2), "m",
        np.zeros((len(shown.volts), 4)), np.zeros(2),
    )  # fmt: skip
    tick(window, 2)
    assert panel.plots[0].ellipse.getData()[0].size > 50
    assert "fit, 1 σ" in panel.note.text()


def test_without_a_line_it_says_what_it_waits_for(window, session, panel):
    session._fit = None
    session.sequence += 1
    session._trace = replace(session.trace(), sequence=session.sequence)
    tick(window, 2)
    assert panel.plots == []
    assert "first good fit" in panel.note.text()
    assert [f for f in faults_of(window) if "phase_space" in f] == []


def test_frozen_it_stands_still(window, session, panel):
    window.panels["traces"].freeze.setChecked(True)
    count = window.bridge.renders(panel)
    session.publish()
    tick(window, 3)
    assert window.bridge.renders(panel) == count
