"""One program at a time on one address, however it ends; the second is told who has it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap

import pytest

from optobind.instruments.digitizers.redpitaya import RedPitayaDigitizer
from optobind.instruments.fakes import FakeGauge
from optobind.instruments.gauges.pfeiffer import PfeifferGauge
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.claim import Claim, canonical, runtime_folder
from optobind.instruments.links.serial_port import SerialGuard
from optobind.instruments.links.visa import VisaLink
from optobind.instruments.protocols import GaugeReading
from optobind.instruments.virtual.serial_server import serve_serial
from optobind.instruments.virtual.text_server import serve_text
from optobind.models.errors import DeviceError

pytestmark = pytest.mark.realtime

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals on Windows")
TCP = "TCPIP0::127.0.0.1::65001::SOCKET"

HOLDER = """
    import sys
    sys.argv = ["/usr/bin/optobind", "-v", "run", "rig.toml"]
    from optobind.instruments.gauges.pfeiffer import PfeifferGauge
    gauge = PfeifferGauge("gauge", {address!r})
    gauge.connect()
    print("holds", flush=True)
    sys.stdin.read()
"""


class Program:
    """Another program: it has said "holds" when it stands, and ends with its standard input."""

    def __init__(self, text: str, **values: object) -> None:
        script = textwrap.dedent(text).format(**values)
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "holds"

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)

    def end(self) -> None:
        self.process.communicate("", timeout=60)


def serve_gauge(serial: bool):
    serve = serve_serial if serial else serve_text
    return serve("pfeiffer-tpg", FakeGauge([GaugeReading(1e-6)]))


@pytest.fixture(params=[False, pytest.param(True, marks=POSIX)], ids=["tcp", "serial"])
def address(request):
    with serve_gauge(request.param) as server:
        yield server.visa_address


def test_the_second_program_is_told_who_has_the_device(address):
    with Program(HOLDER, address=address) as other:
        with pytest.raises(DeviceError) as refused:
            PfeifferGauge("gauge", address).connect()
        text = str(refused.value)
        assert refused.value.exit_code == 4
        assert "\n" not in text
        assert re.search(
            rf"used by optobind run, process {other.process.pid}, since \d\d:\d\d: end that", text
        ), text
        other.end()
    gauge = PfeifferGauge("gauge", address)
    gauge.connect()
    assert gauge.read().pressure == pytest.approx(1e-6, rel=1e-3)
    gauge.disconnect()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_what_a_killed_program_held_is_free(address):
    with Program(HOLDER, address=address) as other:
        other.process.send_signal(signal.SIGKILL)
        other.process.wait(60)
        gauge = PfeifferGauge("gauge", address)
        gauge.connect()
        gauge.disconnect()


def test_two_devices_of_one_program_do_not_share_a_line(address):
    first, second = PfeifferGauge("gauge", address), PfeifferGauge("other gauge", address)
    first.connect()
    with pytest.raises(LinkError, match=r"other gauge: .*used by this program.*the other device"):
        second.connect()
    assert first.read().status == "ok"
    first.disconnect()
    second.connect()
    second.disconnect()


@POSIX
def test_a_program_that_locks_the_port_itself_is_respected():
    script = """
        import sys, serial
        port = serial.Serial({path!r}, exclusive=True)
        print("holds", flush=True)
        sys.stdin.read()
    """
    with serve_gauge(True) as server, Program(script, path=server.address) as other:
        with pytest.raises(LinkError, match="is used by"):
            VisaLink(server.visa_address).open()
        other.end()
        link = VisaLink(server.visa_address)
        link.open()
        link.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows who it is")
def test_a_program_that_knows_of_no_locks_is_found_by_name():
    script = """
        import os, sys
        port = os.open({path!r}, os.O_RDWR | os.O_NOCTTY)
        print("holds", flush=True)
        sys.stdin.read()
    """
    with serve_gauge(True) as server, Program(script, path=server.address) as other:
        with pytest.raises(
            LinkError, match=rf"used by python\S*, process {other.process.pid}: end"
        ):
            VisaLink(server.visa_address).open()


@POSIX
def test_an_open_port_cannot_be_locked_by_others():
    import serial

    with serve_gauge(True) as server:
        link = VisaLink(server.visa_address)
        link.open()
        with pytest.raises(serial.SerialException, match="exclusively lock"):
            serial.Serial(server.address, exclusive=True)
        link.close()
        serial.Serial(server.address, exclusive=True).close()


@POSIX
def test_a_real_port_is_set_to_exclusive_mode_and_back(monkeypatch):
    import fcntl
    import termios

    asked = []
    monkeypatch.setattr(fcntl, "ioctl", lambda handle, request, *more: asked.append(request) or 0)
    with serve_gauge(True) as server:
        guard = SerialGuard("ASRL/dev/ttyUSB0::INSTR", server.address)
        guard._pseudo = False
        guard.seal()
        guard.release()
    assert asked == [termios.TIOCEXCL, termios.TIOCNXCL]


def test_a_lock_file_of_a_dead_process_means_nothing():
    claim = Claim(TCP)
    path = claim._path
    claim.release()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": 1, "program": "optobind run", "since": 0}), "utf-8")
    claim = Claim(TCP)
    claim.release()
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no fork on Windows")
def test_a_child_that_outlives_the_program_does_not_keep_the_device():
    script = """
        import os, sys
        from optobind.instruments.links.claim import Claim
        claim = Claim({address!r})
        if not os.fork():
            sys.stdout.close()
            sys.stdin.read()
            os._exit(0)
        print("holds", flush=True)
        os._exit(0)
    """
    with Program(script, address=TCP) as other:
        other.process.wait(60)
        Claim(TCP).release()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TCPIP0::127.0.0.1::5025::SOCKET", "tcpip::127.0.0.1::5025::socket"),
        ("TCPIP0::127.0.0.1::5025::SOCKET", "TCPIP::LOCALHOST::5025::SOCKET"),
        ("ASRL3::INSTR", "COM3"),
        ("ASRLCOM3::INSTR", "asrl3"),
    ],
)
def test_one_device_is_one_however_its_address_is_written(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TCPIP0::127.0.0.1::5025::SOCKET", "TCPIP0::127.0.0.1::5026::SOCKET"),
        ("TCPIP0::127.0.0.1::5025::SOCKET", "TCPIP0::127.0.0.2::5025::SOCKET"),
        ("ASRL3::INSTR", "ASRL13::INSTR"),
    ],
)
def test_two_devices_are_two(one, other):
    assert canonical(one) != canonical(other)


@POSIX
def test_a_link_to_a_port_is_the_port(tmp_path):
    (tmp_path / "by-id").symlink_to("/dev/ttyS0")
    assert canonical(f"ASRL{tmp_path}/by-id::INSTR") == canonical("ASRL/dev/ttyS0::INSTR")


@POSIX
def test_a_folder_of_somebody_else_is_not_trusted(tmp_path, monkeypatch):
    (tmp_path / "locks").symlink_to(tmp_path)
    monkeypatch.setattr(
        "optobind.instruments.links.claim.runtime_folder", lambda: tmp_path / "locks"
    )
    with pytest.raises(LinkError, match=r"no lock can be made .* belongs to somebody else"):
        Claim(TCP)
    monkeypatch.undo()
    Claim(TCP).release()


@POSIX
def test_the_folder_does_not_depend_on_the_environment(monkeypatch):
    import pwd

    before = runtime_folder()
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME"):
        monkeypatch.setenv(name, "/nowhere")
    assert runtime_folder() == before
    assert str(before.parent).startswith(pwd.getpwuid(os.getuid()).pw_dir) or not os.access(
        pwd.getpwuid(os.getuid()).pw_dir, os.W_OK
    )


def test_a_red_pitaya_has_one_client_of_this_suite():
    claim = Claim("TCPIP::127.0.0.1::65001::SOCKET")
    board = RedPitayaDigitizer("board", host="127.0.0.1", port=65001)
    with pytest.raises(LinkError, match="used by this program"):
        board.connect()
    claim.release()
    with pytest.raises(LinkError, match="no Red Pitaya answers"):
        board.connect()
    Claim("TCPIP::127.0.0.1::65001::SOCKET").release()
