"""Opening the window from the command line."""

import signal

import pytest
from PyQt6.QtCore import QSettings, QTimer

from optobind.gui import app
from optobind.models.errors import FileError


@pytest.fixture
def _own_settings(tmp_path):
    QSettings.setPath(
        QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path / "config")
    )


@pytest.mark.usefixtures("qapp", "_own_settings")
def test_the_window_opens_takes_its_picture_and_closes_the_session(session, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "_SHOT_DELAY_MS", 300)
    session.publish(reheating=20)
    shot = tmp_path / "window.png"
    assert app.run_window(session, shot=shot) == 0
    assert shot.stat().st_size > 20_000
    assert ("close",) in session.calls


@pytest.mark.usefixtures("qapp", "_own_settings")
def test_a_picture_that_cannot_be_written_is_a_file_error(session, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "_SHOT_DELAY_MS", 300)
    with pytest.raises(FileError, match="cannot be written"):
        app.run_window(session, shot=tmp_path / "missing" / "window.png")


@pytest.mark.usefixtures("qapp", "_own_settings")
def test_background_work_begins_once_the_window_is_seen(session, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "_SHOT_DELAY_MS", 400)
    began = []
    app.run_window(
        session, shot=tmp_path / "window.png", begin=lambda: began.append(len(session.calls))
    )
    assert began == [0]


@pytest.mark.usefixtures("qapp", "_own_settings")
def test_a_signal_closes_the_window_before_anything_has_begun(session, monkeypatch):
    monkeypatch.setattr(app, "_BEGIN_DELAY_MS", 300)
    began = []
    QTimer.singleShot(100, lambda: signal.raise_signal(signal.SIGINT))
    assert app.run_window(session, begin=lambda: began.append(True)) == 0
    assert began == []
    assert ("close",) in session.calls
