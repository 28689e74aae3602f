"""Units, cursors with their integral, peaks and exclusions of the spectra."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.live_fit import FitSettings, FitTask, fit_spectrum
from optobind.acquisition.snapshots import SpectrumSnapshot
from optobind.gui.viewmodels.spectra import SpectraModel
from optobind.gui.viewmodels.spectra_measures import band_integral, band_text, peaks_of
from optobind.gui.viewmodels.spectra_units import (
    ChannelScales,
    resolution_bandwidth,
    scale_of,
    scales_of,
)
from optobind.instruments.rig import DetectorChannel
from optobind.models.constants import HBAR
from optobind.models.spectra import CsdEstimate

RATE, SEGMENT = 1e6, 4096


def spectra(unit: str = "m", heights=(1.0, 2.0), averages: int = 200) -> CsdEstimate:
    """Two lines at 50 and 80 kHz, 2 kHz wide, over a floor of 10⁻⁴."""
    f = np.fft.rfftfreq(SEGMENT, 1.0 / RATE)
    matrix = np.zeros((f.size, 2, 2), complex)
    for j, (place, height) in enumerate(zip((50e3, 80e3), heights, strict=True)):
        matrix[:, j, j] = height / (1.0 + ((f - place) / 1e3) ** 2) + 1e-4
    matrix[:, 0, 1] = 1e-3j
    matrix[:, 1, 0] = -1e-3j
    window = np.hanning(SEGMENT)
    return CsdEstimate(f, matrix, averages, window, SEGMENT // 2, RATE, unit, float(averages))


def snapshot(csd: CsdEstimate, sequence: int = 1) -> SpectrumSnapshot:
    return SpectrumSnapshot(sequence, csd, ("z1", "z2"))


SCALES = ChannelScales(np.array([1e-7, -2e-7]), (1e-18, 2e-18))


def test_metres_volts_and_quanta_are_one_spectrum():
    model = SpectraModel()
    model.scales, model.omega = SCALES, 2e5
    csd = spectra()
    model.set_spectrum(snapshot(csd))
    assert model.units() == ("V", "m", "quanta")
    model.choose_unit("V")
    assert model.unit == "V²/Hz"
    np.testing.assert_allclose(model.csd.matrix[:, 0, 0], csd.matrix[:, 0, 0] / 1e-14)
    np.testing.assert_allclose(model.csd.matrix[:, 0, 1], csd.matrix[:, 0, 1] / -2e-14)
    model.choose_unit("quanta")
    want = csd.matrix[:, 1, 1] * 2e-18 * 2e5 / HBAR
    np.testing.assert_allclose(model.csd.matrix[:, 1, 1], want)


def test_units_that_are_not_known_are_not_offered():
    model = SpectraModel()
    model.set_spectrum(snapshot(spectra("V")))
    assert model.units() == ("V",)
    model.choose_unit("quanta")
    assert model.unit == "V²/Hz"


def test_scales_are_those_of_the_rig():
    detectors = (DetectorChannel(0, "z1", 0, "out_of_loop", 1e6, -1),)
    rig = SimpleNamespace(detectors=detectors, trap=None)
    found = scales_of(rig, ("z1",))
    assert found.metres.tolist() == [-1e-6]
    assert found.masses is None
    assert scales_of(rig, ("other",)).metres is None


def test_the_scale_of_quanta_is_the_mean_of_the_fitted_lines():
    parameters = {n: SimpleNamespace(value=v) for n, v in (("omega_1", 1e5), ("omega_2", 3e5))}
    assert scale_of(SimpleNamespace(parameters=parameters), None) == 2e5
    assert scale_of(None, {"omega_1": 4e5, "omega_2": 6e5}) == 5e5
    assert scale_of(None, None) is None


def test_resolution_bandwidth_of_a_hann_window_is_one_and_a_half_bins():
    csd = spectra()
    assert resolution_bandwidth(csd) == pytest.approx(1.5 * csd.bin_width, rel=1e-3)


def test_the_integral_of_a_line_is_its_variance():
    csd = spectra("quanta")
    found = band_integral(csd, 30e3, 70e3)
    line = 1e3 * (math.atan(20.0) - math.atan(-20.0))
    assert found.variances[0] == pytest.approx(line + 4.0, rel=2e-3)
    assert found.occupations[0] == pytest.approx(found.variances[0] - 0.5)
    assert "noise included" in band_text(found)
    assert band_integral(csd, 50_001.0, 50_002.0) is None


def test_imprecision_of_a_fit_is_taken_off_in_its_own_unit_alone():
    names = {n: SimpleNamespace(value=1e-4, unit="1/Hz") for n in ("noise_1", "noise_2")}
    result = SimpleNamespace(parameters=names)
    found = band_integral(spectra("quanta"), 30e3, 70e3, result)
    assert found.noise[0] == pytest.approx(4.0, rel=1e-2)
    assert "taken off" in band_text(found)
    assert band_integral(spectra("m"), 30e3, 70e3, result).noise is None


def test_peaks_are_the_lines():
    found = peaks_of(spectra(), 10e3, 300e3)
    assert [round(p.frequency, -3) for p in found] == [80e3, 50e3]
    assert found[0].channel == 2
    assert found[0].width == pytest.approx(2e3, rel=0.1)
    assert peaks_of(spectra(), 200e3, 300e3) == []


def test_references_follow_the_unit():
    model = SpectraModel()
    model.scales, model.omega = SCALES, 2e5
    model.set_spectrum(snapshot(spectra()))
    model.store_reference()
    model.choose_unit("V")
    view = model.view(4.0, 5.5, 400)
    np.testing.assert_allclose(view.references[0][0].y, view.autos[0].y)


def test_a_live_fit_leaves_excluded_ranges_out(session):
    session.publish()
    csd = session.spectrum().csd
    settings = FitSettings(band=(60e3, 90e3), exclude=((74e3, 74.4e3),))
    fitted = fit_spectrum(FitTask(csd, settings, None))
    assert fitted.error == ""
    inside = (fitted.frequencies > 74e3) & (fitted.frequencies < 74.4e3)
    assert fitted.frequencies.size
    assert not inside.any()


# -- the panel ------------------------------------------------------------------------------------


def tick(window, times=2):
    for _ in range(times):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()


def test_linear_densities_start_at_zero_and_name_their_power(window, session):
    session.publish()
    tick(window)
    panel = window.spectra
    QTest.keyClick(panel, Qt.Key.Key_L)
    tick(window)
    plots = panel.plots
    low, high = plots.top.box.viewRange()[1]
    assert low == 0.0
    top = max(item.getData()[1].max() for item in plots.autos[:2])
    assert top < high < 1.2 * top
    assert 0.5 <= top < 1100.0
    axis = plots.top.getPlotItem().getAxis("left")
    assert axis.labelText.startswith("S")
    QTest.keyClick(panel, Qt.Key.Key_L)
    tick(window)
    assert plots.top.box.viewRange()[1][1] == panel.model.view(4.0, 5.5, 300).y_range[1]


def test_cursors_are_labelled_and_exclude_what_lies_between(window, session):
    session.publish()
    tick(window)
    panel = window.spectra
    panel.cursor_button.setChecked(True)
    panel._cursor_moved(0, math.log10(72e3))
    panel._cursor_moved(1, math.log10(74e3))
    tick(window)
    assert [lines[0].label.format for lines in panel.plots.cursors] == ["A", "B"]
    assert "∫ A … B: ⟨z1²⟩" in panel.read_out.text()
    panel.exclude()
    assert session.excluded == ((pytest.approx(72e3), pytest.approx(74e3)),)
    assert len(panel.plots.excluded) == 1
    panel.include_all()
    assert session.excluded == ()
    assert panel.plots.excluded == []


def test_a_click_on_a_peak_picks_it(window, session):
    session.publish()
    tick(window)
    panel = window.spectra
    panel.tools.peaks.setChecked(True)
    tick(window)
    assert panel.peaks.table.rowCount() >= 1
    frequency = panel.peaks.found[0].frequency
    panel.peaks.table.cellClicked.emit(0, 0)
    assert panel.model.peak == pytest.approx(frequency)
    tick(window)
    assert panel.legend.text().count("RBW") == 1


def test_a_unit_that_is_chosen_is_drawn_and_stays(window, session):
    import optobind as ob

    session.rig.trap = ob.load_trap("simulated-pair")
    session.rig.detectors = (
        DetectorChannel(0, "z1 out", 0, "out_of_loop", 1e6, 1),
        DetectorChannel(1, "z2 out", 1, "out_of_loop", 1e6, -1),
    )
    session.publish()
    tick(window)
    panel = window.spectra
    held = panel.model.unit
    box = panel.tools.unit
    assert box.count() == 3
    other = next(k for k in range(3) if box.itemText(k) != held)
    box.setCurrentIndex(other)
    box.activated.emit(other)
    for _ in range(2):
        session.publish()
        tick(window)
        assert panel.model.unit == box.currentText() == box.itemText(other) != held
        assert held not in panel.plots.top.getPlotItem().getAxis("left").labelText
    low, high = panel.plots.top.box.viewRange()[1]
    y = panel.plots.autos[0].getData()[1]
    assert low <= y.min()
    assert y.max() <= high
    fit = panel.plots.fit_autos[0].getData()[1]
    assert abs(fit.max() - y.max()) < 1.0
