"""Extremes that are held, ratios to a reference, and ghosts, beside the newest spectra."""

from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest

from optobind.gui.viewmodels.spectra import SpectraModel
from optobind.gui.viewmodels.spectra_overlays import Extremes, Reference


def scaled(snapshot, factor, number=2):
    csd = replace(snapshot.csd, matrix=snapshot.csd.matrix * factor)
    return replace(snapshot, sequence=number, csd=csd)


@pytest.fixture
def snapshot(session):
    return session.make_spectrum()


def tick(window, times=1):
    for _ in range(times):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()


def test_extremes_are_the_largest_and_smallest_of_each_bin(snapshot):
    held = Extremes()
    for factor in (1.0, 4.0, 0.25):
        held.take(scaled(snapshot, factor).csd)
    high, low = held.held()
    autos = snapshot.csd.matrix[:, 1, 1].real
    np.testing.assert_allclose(high.matrix[:, 1, 1].real, 4.0 * autos)
    np.testing.assert_allclose(low.matrix[:, 1, 1].real, 0.25 * autos)
    assert held.spectra == 3


def test_extremes_begin_anew_with_another_grid_and_mind_no_nan(snapshot):
    held = Extremes()
    held.take(snapshot.csd)
    broken = scaled(snapshot, 2.0).csd
    broken.matrix[5] = np.nan
    held.take(broken)
    assert np.isfinite(held.held()[0].matrix[5, 0, 0])
    held.take(snapshot.csd.band(60e3, 90e3))
    assert held.spectra == 1
    held.take(snapshot.csd.select((0,)))
    assert held.spectra == 1
    assert held.held()[0].channels == 1


def test_a_snapshot_counts_once_however_often_it_is_drawn(snapshot):
    model = SpectraModel()
    model.set_spectrum(snapshot)
    model.hold_extremes(True)
    for _ in range(3):
        model.set_spectrum(snapshot)
        model.choose_unit(None)
    assert model.extremes.spectra == 1
    model.set_spectrum(scaled(snapshot, 3.0))
    assert model.extremes.spectra == 2
    view = model.view(4.6, 5.0, 300)
    assert len(view.extremes) == 2
    assert view.extremes[0][0].y.max() == pytest.approx(view.autos[0].y.max())
    model.hold_extremes(False)
    assert model.view(4.6, 5.0, 300).extremes == ()


def test_a_ratio_to_a_reference_is_that_of_the_densities(snapshot):
    model = SpectraModel()
    model.set_spectrum(snapshot)
    assert not model.show_ratio(True)  # there is nothing to divide by
    model.store_reference()
    model.set_spectrum(scaled(snapshot, 100.0))
    assert model.show_ratio(True)
    view = model.view(4.6, 5.0, 300)
    np.testing.assert_allclose(view.autos[0].y, 2.0, atol=1e-9)
    np.testing.assert_allclose(view.cross.y, 2.0, atol=1e-9)
    np.testing.assert_allclose(view.references[0][0].y, 0.0, atol=1e-9)
    assert view.unit == "ratio to R1"
    reading = model.reading(75e3)
    assert reading.densities[0] == pytest.approx(100.0 * near(snapshot, 75e3), rel=1e-9)
    model.clear_references()
    assert model.view(4.6, 5.0, 300).unit == "quanta²/Hz"


def near(snapshot, frequency):
    index = int(np.argmin(np.abs(snapshot.csd.frequencies - frequency)))
    return float(snapshot.csd.matrix[index, 0, 0].real)


def test_a_reference_of_another_unit_or_fewer_channels_gives_no_ratio(snapshot):
    model = SpectraModel()
    model.set_spectrum(snapshot)
    model.references = [Reference("R1", replace(snapshot.csd, unit="V"))]
    model.show_ratio(True)
    assert model.view(4.6, 5.0, 300).unit == "quanta²/Hz"
    model.references = [Reference("R2", snapshot.csd.select((0,)))]
    assert model.view(4.6, 5.0, 300).unit == "quanta²/Hz"


def test_a_reference_of_other_bins_is_interpolated(snapshot):
    model = SpectraModel()
    model.set_spectrum(snapshot)
    coarse = replace(
        snapshot.csd, frequencies=snapshot.csd.frequencies[::2], matrix=snapshot.csd.matrix[::2]
    )
    model.references = [Reference("R1", coarse)]
    model.show_ratio(True)
    view = model.view(4.8, 4.95, 2000)
    assert abs(np.median(view.autos[0].y)) < 0.05


def test_hold_and_ratio_act_by_key_and_button(window, session):
    session.publish()
    tick(window)
    panel = window.spectra
    QTest.keyClick(panel, Qt.Key.Key_H)
    assert panel.tools.hold.isChecked()
    assert not panel.tools.ratio.isEnabled()
    QTest.keyClick(panel, Qt.Key.Key_R)
    panel.tools.ratio.click()
    session.publish()
    tick(window)
    assert "ratio to R1" in panel.plots.top.name_of("left")
    assert "extremes of 2 spectra" in panel.legend.text()
    assert panel.plots.extremes[0][0].getData()[1].size
    panel.tools.clear.click()
    session.publish()
    tick(window)
    assert not panel.tools.ratio.isChecked()
    assert "quanta²/Hz" in panel.plots.top.name_of("left")
