"""What is plotted leaves the window: figures, tables, the clipboard, commands as a script."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt, QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QFileDialog, QMenu

from optobind.analysis.figures.picture import Line, Picture, picture_figure, picture_table
from optobind.gui.palette import commands_of
from optobind.gui.pictures import ask_where, pictures_of
from optobind.gui.viewmodels.history import History
from optobind.models.errors import FileError


@pytest.fixture
def drawn(window, session):
    """A window whose panels have drawn."""
    session.publish(reheating=30)
    for name in ("traces", "strips", "reheating", "phases"):
        window.docks[name].show()
        window.docks[name].raise_()
        QApplication.processEvents()
        for _ in range(3):
            window.bridge.tick()
            QApplication.processEvents()
    return window


def columns(text: str) -> dict[str, np.ndarray]:
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))
    assert all(len(row) == len(rows[0]) for row in rows)
    return {
        head: np.array([float(row[j]) for row in rows[1:] if row[j]])
        for j, head in enumerate(rows[0])
    }


def test_spectra_are_kept_in_their_own_units(drawn, session):
    found = columns(picture_table(pictures_of(drawn.panels["spectra"])))
    spectrum = session.spectrum().csd
    f, s = found["S_11: frequency (Hz)"], found["S_11: S (quanta²/Hz)"]
    assert 0.0 < f.min() < f.max() <= spectrum.frequencies[-1] * 1.001
    assert s.max() == pytest.approx(spectrum.matrix[:, 0, 0].real.max(), rel=1e-6)
    assert {"coherence: coherence", "arg S_12 (ends of errors): arg (rad)"} <= set(found)


def test_every_plot_of_the_window_has_names_with_units(drawn):
    for name in ("spectra", "traces", "reheating"):
        pictures = pictures_of(drawn.panels[name])
        assert pictures, name
        for picture in pictures:
            assert picture.x_label
            assert picture.y_label
            for line in picture.lines:
                assert len(line.x) == len(line.y) > 0
        picture_figure(pictures)
    traces = pictures_of(drawn.panels["traces"])
    assert [p.y_label.endswith("(V)") for p in traces] == [True] * len(traces)
    assert {p.x_label for p in traces} == {"time (µs)"}


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_a_figure_is_written_and_said(drawn, tmp_path, qtbot, monkeypatch, suffix):
    path = tmp_path / f"spectra{suffix}"
    monkeypatch.setattr(drawn.menus.pictures, "ask", lambda panel, filters: path)
    drawn.menus.pictures.save_figure(drawn.spectra)
    qtbot.waitUntil(lambda: _ticked(drawn, f"wrote {path}"), timeout=30_000)
    assert path.stat().st_size > 5_000


def _ticked(window, text: str) -> bool:
    window.bridge.tick()
    errors = [line.text for line in window.log.lines if line.level == "error"]
    assert not errors or "cannot write" in errors[0], errors
    return any(text in line.text for line in window.log.lines)


def test_what_cannot_be_written_is_an_error_in_the_log(drawn, tmp_path, qtbot, monkeypatch):
    path = tmp_path / "no" / "such" / "folder.tsv"
    monkeypatch.setattr(drawn.menus.pictures, "ask", lambda panel, filters: path)
    drawn.menus.pictures.save_table(drawn.spectra)
    qtbot.waitUntil(lambda: _ticked(drawn, "cannot write"), timeout=30_000)
    assert any(line.level == "error" for line in drawn.log.lines)


def test_a_panel_that_shows_nothing_says_so(window):
    for plot in pictures_of(window.panels["reheating"]):
        assert plot.lines
    window.panels["reheating"].hide()
    window.menus.pictures.copy(window.panels["strips"])
    assert "nothing is drawn yet" in window.log.lines[-1].text


def test_the_palette_and_a_right_click_offer_them(drawn, monkeypatch):
    names = [command.name for command, _ in commands_of(drawn)]
    assert "File › Save what is plotted › Spectra › Copy data" in names
    assert "File › Save commands as Python …" in names
    shown = []
    monkeypatch.setattr(QMenu, "popup", lambda menu, place: shown.append(menu))
    plot = drawn.spectra.plots.top
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.RightButton, pos=QPoint(200, 80))
    assert [action.text() for action in shown[0].actions()] == [
        "Figure …",
        "Data (TSV) …",
        "Copy data",
    ]
    shown[0].actions()[2].trigger()
    assert "S_11: frequency (Hz)" in QApplication.clipboard().text()


def test_commands_become_a_script_that_compiles_and_never_drops_particles():
    now = [100.0]
    history = History(lambda: now[0])
    for wait, line in (
        (0.0, "session.connect()"),
        (1.5, "session.set_light(session.light().requested.with_pair(phi=0.4))"),
        (0.0, "session.start(MonitorPlan(duration=1.0, allow_unstable=False))"),
        (0.4, "session.abort()"),
        (1.0, "session.release_particles('release particles')"),
        (0.0, "optobind report run.h5"),
    ):
        now[0] += wait
        history.take(line)
    text = history.script("simulated-pair")
    compile(text, "session.py", "exec")
    assert "from optobind import MonitorPlan\n" in text
    assert "time.sleep(1.50)" in text
    assert "    # session.release_particles" in text
    assert "optobind report" not in text
    assert text.index("runs.append(session.start(") < text.index("done(session.abort())")
    compile(History().script("simulated-pair"), "session.py", "exec")


def test_tables_keep_columns_of_different_lengths_apart():
    long, short = np.arange(3.0), np.arange(1.0)
    lines = (Line("a\tb", long, long), Line("c", short, short, "dots"))
    text = picture_table([Picture(lines, "x (s)", "y (V)", (0.0, 2.0), (0.0, 2.0))])
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0] == ["a b: x (s)", "a b: y (V)", "c: x (s)", "c: y (V)"]
    assert rows[3] == ["2", "2", "", ""]


def test_a_picture_on_logarithmic_axes_is_drawn_on_such(tmp_path):
    x = np.array([1.0, 10.0, 100.0])
    picture = Picture((Line("a", x, x),), "f (Hz)", "S", (1.0, 100.0), (1.0, 100.0), True, True)
    figure = picture_figure([picture, picture])
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "log"]
    from optobind.analysis.figures.style import save_figure

    with pytest.raises(FileError):
        save_figure(figure, tmp_path / "a" / "b.pdf")


def test_the_suffix_of_the_kind_that_is_chosen_is_added(window, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.selectNameFilter("SVG (*.svg)")
        dialog.filterSelected.emit("SVG (*.svg)")
        assert dialog.defaultSuffix() == "svg"
        dialog.accept()

    QTimer.singleShot(300, answer)
    path = ask_where(window, "Save", "spectra", "PDF (*.pdf);;SVG (*.svg)")
    assert path is not None
    assert path.name == "spectra.svg"
