"""Opening the window from the command line."""

from dataclasses import replace
from unittest import mock

import pytest
from PyQt6.QtCore import QSettings, QTimer

from optobind.gui import app
from optobind.models.errors import FileError


@pytest.fixture(autouse=True)
def _loops_run_again(qapp):
    """An application that was quit twice ends every later loop at once: loops of other tests."""
    yield
    QTimer.singleShot(0, qapp.quit)
    qapp.exec()


@pytest.fixture
def _own_settings(tmp_path):
    QSettings.setPath(
        QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path / "config")
    )


@pytest.mark.slow
@pytest.mark.usefixtures("qapp", "_own_settings")
def test_the_window_opens_takes_its_picture_and_closes_the_session(session, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "_SHOT_DELAY_MS", 300)
    session.publish(reheating=20)
    shot = tmp_path / "window.png"
    assert app.run_window(session, shot=shot) == 0
    assert shot.stat().st_size > 20_000
    assert ("close",) in session.calls


@pytest.mark.slow
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
@pytest.mark.parametrize("urgency", [1, 2])
def test_a_signal_closes_the_window_before_anything_has_begun(session, monkeypatch, urgency):
    monkeypatch.setattr(app, "_BEGIN_DELAY_MS", 300)
    began, heard = [], []
    QTimer.singleShot(100, lambda: heard.append(urgency))
    ended = app.run_window(
        session, begin=lambda: began.append(True), urgency=lambda: max(heard, default=0)
    )
    assert ended == 0
    assert began == []
    assert ("close",) in session.calls


@pytest.mark.slow
@pytest.mark.usefixtures("qapp", "_own_settings")
@pytest.mark.parametrize(
    ("heard", "asked"),
    [
        ([1], ["stop_after_repetition"]),
        ([2], ["abort"]),
        ([1, 2], ["stop_after_repetition", "abort"]),
    ],
)
def test_signals_end_a_run_as_they_say_and_close_unasked(session, heard, asked):
    session.snapshot = replace(session.status(), state="running", recording="run.h5")
    session.status = lambda: session.snapshot
    said: list[int] = []

    def asked_for() -> list[str]:
        names = [call[0] for call in session.calls]
        return [name for name in names if name in ("stop_after_repetition", "abort")]

    def go_on() -> None:  # the next signal once the last one was heard, then the end of the run
        if len(asked_for()) < len(said):
            return
        if len(said) < len(heard):
            said.append(heard[len(said)])
        elif asked_for():
            session.snapshot = replace(session.snapshot, state="idle", recording=None)

    timer = QTimer()
    timer.timeout.connect(go_on)
    timer.start(50)
    assert app.run_window(session, urgency=lambda: max(said, default=0)) == 0
    timer.stop()
    assert asked_for() == asked
    assert session.calls[-1] == ("close",)


@pytest.mark.usefixtures("_own_settings")
def test_a_question_that_is_open_does_not_keep_a_signal_from_closing(session, qapp):
    from PyQt6.QtWidgets import QMessageBox

    heard: list[int] = []

    def ask() -> None:
        QTimer.singleShot(200, lambda: heard.append(2))
        box = QMessageBox(QMessageBox.Icon.Question, "?", "Sure?")
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()

    QTimer.singleShot(100, ask)
    assert app.run_window(session, urgency=lambda: max(heard, default=0)) == 0
    assert ("close",) in session.calls


@pytest.mark.usefixtures("_own_settings")
def test_the_end_of_the_users_session_aborts_and_waits_for_the_close(session, qapp):
    window = app.make_window(session)
    session.snapshot = replace(session.status(), state="running", recording="run.h5")
    session.status = lambda: session.snapshot
    session.abort = lambda: setattr(
        session, "snapshot", replace(session.snapshot, state="idle", recording=None)
    )
    app.end_with_session(window, seconds=30.0)
    assert window.closer.done
    assert ("close",) in session.calls


@pytest.mark.usefixtures("_own_settings")
def test_a_bug_of_a_slot_is_told_once_and_ends_neither_window_nor_run(session, qapp, capsys):
    heard: list[int] = []
    lines: list[str] = []

    def fail() -> None:
        raise RuntimeError("a bug of a panel")

    for delay in (100, 150, 200):
        QTimer.singleShot(delay, fail)
    QTimer.singleShot(600, lambda: heard.append(2))
    write = app_log_write(lines)
    with write:
        assert app.run_window(session, urgency=lambda: max(heard, default=0)) == 0
    assert len([line for line in lines if "a bug of a panel" in line]) == 1
    assert "a bug of a panel" in capsys.readouterr().err
    assert ("close",) in session.calls


def app_log_write(lines):
    """Note what is written into the window's log."""
    from optobind.gui.viewmodels.log import LogModel

    real = LogModel.write

    def write(self, level, text, **options):
        lines.append(text)
        return real(self, level, text, **options)

    return mock.patch.object(LogModel, "write", write)
