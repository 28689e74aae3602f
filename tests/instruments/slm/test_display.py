"""The display SLM with its real window process, drawn by Qt's offscreen platform."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from optobind.instruments.slm.display_window import Server
from optobind.instruments.slm.wire import receive, send

pytest.importorskip("PyQt6")

from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState, SpotPattern
from optobind.instruments.slm.display import DisplaySLM
from optobind.models.errors import DeviceError, InputError

from .panels import OPTICS, PATTERN, PITCH

pytestmark = pytest.mark.realtime

SCREENS = {
    "screens": [
        {"name": "desk", "x": 0, "y": 0, "width": 640, "height": 480, "dpr": 1},
        {"name": "slm", "x": 640, "y": 0, "width": 300, "height": 200, "dpr": 1},
    ]
}


MADE: list[DisplaySLM] = []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Folder of records; ends the window processes that a test leaves behind."""
    config = tmp_path / "screens.json"
    config.write_text(json.dumps(SCREENS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # a drive's colon would end the option
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen:configfile=screens.json")
    place = tmp_path / "records"
    place.mkdir()
    yield place
    for slm in MADE:
        slm.disconnect()
    MADE.clear()
    for path in place.glob("display-*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            os.kill(json.loads(path.read_text(encoding="utf-8"))["pid"], signal.SIGTERM)


def make(folder: Path, **options) -> DisplaySLM:
    MADE.append(DisplaySLM("slm", **{**OPTICS, "pitch": PITCH, "folder": folder, **options}))
    return MADE[-1]


def record_of(folder: Path) -> dict:
    (path,) = folder.glob("display-*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + 60.0
    while list(folder.glob("display-*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(folder.glob("display-*.json"))


def wait_until_dead(slm: DisplaySLM) -> None:
    """Wait for the process to close its end, without reading."""
    link = slm._display._link
    assert link is not None
    link.settimeout(10.0)
    with contextlib.suppress(ConnectionError):
        assert link.recv(1, socket.MSG_PEEK) == b""
    link.settimeout(5.0)


def shows(slm: DisplaySLM) -> bool:
    return slm._display._ask({"do": "facts"})[0]["shows"]


def image_of(slm: DisplaySLM) -> np.ndarray:
    return slm._hologram.image


def test_a_first_connection_opens_no_window_and_the_first_show_does(folder):
    slm = make(folder, screen="slm")
    assert slm.connect() == "screen 1 'slm' 300 × 200 at 60 Hz"
    assert not shows(slm)
    assert slm.read() == SpotPattern((), (), ())
    with pytest.raises(DeviceError, match="nothing is shown"):
        slm.grab()
    shown = slm.show(PATTERN)
    assert slm.read() == shown
    assert slm.capabilities.pixels == (300, 200)
    grabbed = slm.grab()
    assert grabbed.shape == (200, 300, 3)
    assert np.array_equal(grabbed, np.repeat(image_of(slm)[..., None], 3, axis=2))
    slm.disconnect()
    # Who never showed anything leaves no process behind.
    slm.connect()
    slm.close_window()
    wait_until_gone(folder)
    slm.connect()
    slm.disconnect()
    wait_until_gone(folder)


def test_every_grey_level_comes_out_byte_for_byte_with_black_around(folder):
    slm = make(folder, screen=0, pixels=(256, 256))
    slm.connect()
    image = np.add.outer(np.arange(256), np.arange(256)).astype(np.uint8)
    slm._display.show_image(image, {})
    assert np.array_equal(slm.grab()[..., 0], image)
    header, data = slm._display._ask({"do": "grab", "whole": True})
    assert (header["columns"], header["rows"]) == (640, 480)
    lines = np.frombuffer(data, np.uint8).reshape(480, header["stride"])[:, : 3 * 640]
    picture = lines.reshape(480, 640, 3)
    assert np.array_equal(picture[112:368, 192:448, 1], image)
    assert picture.sum() == 3 * image.sum(dtype=np.int64)
    slm.close_window()


def test_the_window_stays_and_a_next_session_finds_it_and_what_it_shows(folder):
    first = make(folder)
    first.connect()
    shown = first.show(PATTERN)
    image = image_of(first)
    first.disconnect()
    second = make(folder)
    assert second.connect().endswith("holds an image from before")
    assert second.read() == shown
    assert np.array_equal(second.grab()[..., 0], image)
    assert second.show(shown) == shown
    second.close_window()
    assert second.state is DeviceState.DISCONNECTED
    wait_until_gone(folder)
    assert list(folder.iterdir()) == []


def test_a_second_program_is_told_that_the_screen_is_in_use(folder):
    first, second = make(folder), make(folder)
    first.connect()
    shown = first.show(PATTERN)
    with pytest.raises(DeviceError, match=f"screen 1: .* in use by process {os.getpid()}"):
        second.connect()
    assert second.state is DeviceState.FAULTED
    assert first.read() == shown
    assert first.show(shown) == shown
    first.close_window()


@pytest.mark.slow
def test_the_window_outlives_the_program_that_opened_it(folder):
    script = f"""
        from optobind.instruments.slm.display import DisplaySLM
        from optobind.instruments.protocols import SpotPattern
        slm = DisplaySLM("slm", pitch={PITCH}, folder={str(folder)!r}, **{OPTICS!r})
        slm.connect()
        slm.show({PATTERN!r})
        print(slm.read())
        import os
        os._exit(1)  # as hard as a crash
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ended = subprocess.run(
        [sys.executable, "-u", "-c", textwrap.dedent(script)],
        env=environment, capture_output=True, text=True, timeout=120.0, encoding="utf-8",
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    slm = make(folder)
    slm.connect()
    assert repr(slm.read()) == ended.stdout.strip()
    slm.close_window()


def test_without_keep_the_window_closes_with_the_connection(folder):
    slm = make(folder, keep=False)
    slm.connect()
    slm.show(PATTERN)
    slm.disconnect()
    wait_until_gone(folder)


def test_a_window_process_that_dies_faults_the_device_and_nothing_is_shown_again(folder):
    slm = make(folder)
    slm.connect()
    shown = slm.show(PATTERN)
    os.kill(record_of(folder)["pid"], signal.SIGTERM)
    wait_until_dead(slm)
    with pytest.raises(LinkError, match=r"slm: the process of the window on screen 1 is gone"):
        slm.show(shown)
    assert slm.state is DeviceState.FAULTED
    with pytest.raises(DeviceError, match="slm is faulted"):
        slm.read()
    slm.connect()
    assert slm.read() == SpotPattern((), (), ())
    assert not shows(slm)
    slm.close_window()


def test_screens_that_are_missing_or_too_small_are_named(folder):
    slm = make(folder, screen=5)
    with pytest.raises(DeviceError, match=r"no screen '5'.* 0 'desk' 640 × 480, 1 'slm' 300 × 200"):
        slm.connect()
    assert slm.state is DeviceState.FAULTED
    slm = make(folder, screen=1, pixels=(1920, 1200))
    with pytest.raises(DeviceError, match="screen 1 has 300 × 200 pixels, the SLM 1920 × 1200"):
        slm.connect()
    wait_until_gone(folder)


def test_what_the_screen_does_not_show_is_an_error_and_its_pattern_unknown(folder, monkeypatch):
    slm = make(folder)
    slm.connect()
    true_grab = slm._display.grab

    def night_light():
        picture = true_grab().copy()
        picture[..., 2] = picture[..., 2] * 0.9
        return picture

    monkeypatch.setattr(slm._display, "grab", night_light)
    with pytest.raises(LinkError, match=r"screen 1 does not show what was sent.*night light"):
        slm.show(PATTERN)
    assert slm.state is DeviceState.FAULTED
    monkeypatch.undo()
    slm.connect()
    assert slm.read() == SpotPattern((), (), ())
    assert shows(slm)
    slm.close_window()


def test_plugins_left_by_opencv_and_scaling_do_not_reach_the_window(folder, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", str(folder / "nowhere"))
    monkeypatch.setenv("QT_SCALE_FACTOR", "1.5")
    slm = make(folder)
    assert "300 × 200" in slm.connect()
    slm.disconnect()
    wait_until_gone(folder)


def test_a_missing_qt_is_named_with_its_remedy(folder, tmp_path, monkeypatch):
    (tmp_path / "PyQt6").mkdir()
    (tmp_path / "PyQt6" / "__init__.py").write_text(
        "raise ImportError('libEGL.so.1 is missing')", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeviceError, match=r"libEGL.so.1 is missing; .* optobind\[gui\]"):
        make(folder).connect()
    assert list(folder.iterdir()) == []


def test_a_process_that_cannot_find_a_display_says_so(folder, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "nonsense")
    with pytest.raises(DeviceError, match=r"ended with code .*where a screen is"):
        make(folder).connect()
    assert list(folder.iterdir()) == []


class Impostor:
    """Listens where a record says that a window process is, and answers as told."""

    def __init__(self, folder: Path, answer) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        record = {"pid": 1, "port": port, "token": "x", "index": 1, "screen": "slm"}
        self.path = folder / "display-impostor.json"
        self.path.write_text(json.dumps(record), encoding="utf-8")
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._socket.accept()
                with link, contextlib.suppress(OSError, ValueError):
                    self._answer(link)

    def __enter__(self) -> Impostor:
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)


FACTS = {"columns": 300, "rows": 200, "refresh": 60.0, "index": 1, "screen": "slm"}


def silent_after_the_greeting(link: socket.socket, over: threading.Event) -> None:
    receive(link)
    send(link, {**FACTS, "note": None, "shows": False})
    receive(link)
    over.wait(120.0)


def test_a_window_process_that_hangs_is_given_up_in_time(folder):
    over = threading.Event()
    with Impostor(folder, lambda link: over.wait(120.0)) as impostor:
        slm = make(folder, timeout=0.2)
        with pytest.raises(LinkError, match=r"process 1, .* does not answer: end it, then remove"):
            slm.connect()
        over.set()
        assert impostor.path.exists()
    over.clear()
    with Impostor(folder, lambda link: silent_after_the_greeting(link, over)):
        slm = make(folder, timeout=1.0)
        slm.connect()
        with pytest.raises(LinkError, match="did not answer in time"):
            slm.show(PATTERN)
        over.set()
        assert slm.state is DeviceState.FAULTED


def test_garbage_in_the_answers_is_an_error_never_a_value(folder):
    def garbage(link: socket.socket) -> None:
        receive(link)
        send(link, {**FACTS, "note": None, "shows": False})
        receive(link)
        link.sendall(b"\xff" * 64)

    with Impostor(folder, garbage):
        slm = make(folder)
        slm.connect()
        with pytest.raises(LinkError, match="a message of 4294967295 bytes"):
            slm.show(PATTERN)
        assert slm.state is DeviceState.FAULTED


def test_records_of_dead_or_foreign_processes_are_cleared_away(folder):
    gone = folder / "display-gone.json"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    record = {"pid": 1, "port": port, "token": "x", "index": 1, "screen": "slm"}
    gone.write_text(json.dumps(record), encoding="utf-8")
    (folder / "display-half.json").write_text("{", encoding="utf-8")
    with Impostor(folder, lambda link: link.sendall(b"SSH-2.0-OpenSSH\r\n")) as impostor:
        slm = make(folder)
        slm.connect()
        assert not gone.exists()
        assert not impostor.path.exists()
        slm.close_window()


def test_who_does_not_know_the_token_is_not_served(folder):
    slm = make(folder)
    slm.connect()
    slm.show(PATTERN)
    slm.disconnect()
    with socket.create_connection(("127.0.0.1", record_of(folder)["port"]), 5.0) as link:
        send(link, {"token": "guess", "pid": 1})
        with pytest.raises(ConnectionError):
            receive(link)
    slm.connect()
    assert slm.read().positions == PATTERN.positions
    answer, _ = slm._display._exchange({"do": "dance"})
    assert answer["error"] == "unknown command 'dance'"
    with pytest.raises(DeviceError, match="7 bytes are no image of 3 × 2 pixels"):
        slm._display._ask({"do": "show", "columns": 3, "rows": 2}, b"1234567")
    slm.close_window()


def test_a_screen_that_shows_one_phase_after_the_other_keeps_up(folder):
    slm = make(folder)
    slm.connect()
    for phi in np.linspace(0.0, 3.0, 12):
        shown = slm.show(replace(PATTERN, phases=(float(phi), 0.0)))
        assert shown.phases[0] == pytest.approx(phi, abs=0.01)
        assert np.array_equal(slm.grab()[..., 2], image_of(slm))
    slm.close_window()


@pytest.mark.parametrize("bad", [{"pitch": "8e-6"}, {"pixels": 3.5}, {"pixels": (1, 2, 3)}])
def test_options_of_the_wrong_shape_are_refused(tmp_path, bad):
    with pytest.raises(InputError, match="must"):
        make(tmp_path, **bad)


def test_a_process_that_is_about_to_end_takes_no_new_client():
    """Its only client has left and nothing was shown; the next one comes before it has ended."""
    asked: list[str] = []
    stage = SimpleNamespace(shows=False, facts=lambda: {"screen": "0"}, forget=None)
    server = Server(stage, lambda job: job(), "token", lambda: asked.append("quit"))
    threading.Thread(target=server.run, daemon=True).start()

    def greet() -> socket.socket:
        link = socket.create_connection(("127.0.0.1", server.port), 5.0)
        send(link, {"token": "token", "pid": os.getpid()})
        return link

    with greet() as link:
        assert receive(link)[0]["screen"] == "0"
    deadline = time.monotonic() + 60.0
    while not asked and time.monotonic() < deadline:
        time.sleep(0.005)
    with greet() as link, pytest.raises(ConnectionError):
        receive(link)
    assert asked == ["quit"]
