"""The Red Pitaya driver against the virtual SCPI server, and against one that misbehaves."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest

from optobind.instruments.digitizers.redpitaya import BUFFER, RedPitayaDigitizer
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState
from optobind.instruments.virtual.redpitaya_server import serve_redpitaya
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError, InputError

from .conftest import make_rig

pytestmark = pytest.mark.realtime

RATE = 1e6  # 125 MHz / 125


def board(server, **options) -> RedPitayaDigitizer:
    values = {"sample_rate": RATE, "timeout": 30.0, **options}
    return RedPitayaDigitizer("rp", host=server.host, port=server.port, **values)


def test_buffers_hold_the_volts_of_the_world_and_begin_with_gaps():
    twin = make_rig().digitizer
    twin.connect()
    twin.start()
    wanted = np.empty((2 * BUFFER, 2), np.int16)
    twin.read_into(wanted)
    with serve_redpitaya(make_rig().digitizer) as server:
        digitizer = board(server)
        assert "REDPITAYA" in digitizer.connect()
        info = digitizer.info
        assert (info.sample_rate, info.dtype, info.mode) == (RATE, "float32", "SIM")
        digitizer.start()
        rows = np.zeros((10_000, 2), np.float32)
        first = digitizer.read_into(rows)
        assert (first.samples, first.first_sample) == (10_000, 0)
        assert np.allclose(rows, wanted[:10_000] / 32768.0, atol=1e-6)
        rest = digitizer.read_into(rows)
        assert rest.samples in (BUFFER - 10_000, 10_000)
        after = digitizer.read_into(rows)
        assert after.status & BlockStatus.GAP_BEFORE or after.first_sample == 20_000
        digitizer.stop()
        assert digitizer.state is DeviceState.READY
        digitizer.disconnect()


def test_in_real_time_the_gap_is_the_time_that_passed():
    with serve_redpitaya(make_rig(real_time=True).digitizer) as server:
        digitizer = board(server)
        digitizer.connect()
        digitizer.start()
        rows = np.zeros((BUFFER, 2), np.float32)
        assert digitizer.read_into(rows).first_sample == 0
        begin = time.monotonic()
        time.sleep(0.2)
        late = digitizer.read_into(rows)
        passed = (time.monotonic() - begin) * RATE
        assert late.status & BlockStatus.GAP_BEFORE
        assert 0.2 * RATE < late.first_sample < passed + BUFFER
        digitizer.disconnect()


def test_a_rate_that_the_board_refuses_is_an_error_with_its_code():
    with serve_redpitaya(make_rig().digitizer) as server:
        digitizer = board(server, sample_rate=125e6 / 8)
        digitizer.connect()
        with pytest.raises(DeviceError, match=r"^rp: error -222 after ACQ:DEC 8: \"Data out"):
            digitizer.start()
        assert digitizer.state is DeviceState.READY
        digitizer.disconnect()


@pytest.mark.parametrize(
    "options",
    [
        {"channels": ()},
        {"channels": (1, 1)},
        {"channels": (5,)},
        {"full_scale": 5.0},
        {"sample_rate": 1e9},
        {"names": ("a",)},
        {"timeout": 0.0},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(InputError):
        RedPitayaDigitizer("rp", host="nowhere", **options)


def test_nobody_there_names_the_remedy():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        digitizer = RedPitayaDigitizer("rp", host="127.0.0.1", port=unused.getsockname()[1])
        with pytest.raises(LinkError, match=r"^rp: no Red Pitaya answers .* start its SCPI server"):
            digitizer.connect()


def answering(answers: dict[str, bytes | None]):
    """A server that gives fixed answers; None hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                answer = answers.get(line.decode().strip(), b"")
                if answer is None:
                    return
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener, thread


GOOD = {
    "*IDN?": b"REDPITAYA,INSTR2014,0,01-02\r\n",
    "SYST:ERR:NEXT?": b'0,"No error"\r\n',
    "ACQ:DEC?": b"125\r\n",
    "ACQ:TRIG:STAT?": b"TD\r\n",
    "ACQ:TRIG:FILL?": b"1\r\n",
}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"*IDN?": b"KEYSIGHT\r\n"}, "is no Red Pitaya"),
        ({"*IDN?": b""}, "did not answer within"),
        ({"*IDN?": b"\xff\xfe\r\n"}, "sent garbage"),
        ({"*IDN?": None}, "closed the connection"),
        ({"SYST:ERR:NEXT?": b"what\r\n"}, "when asked for errors"),
        ({"ACQ:DEC?": b"1\r\n"}, "took decimation '1', not 125"),
        ({"ACQ:TRIG:STAT?": b"banana\r\n"}, "answered by 'banana'"),
        ({"ACQ:TRIG:FILL?": b"0\r\n"}, "did not fill in time"),
        ({"ACQ:SOUR1:DATA?": b"ERR!\r\n"}, "not by a binary block"),
        ({"ACQ:SOUR1:DATA?": b"#15aaaaa\r\n"}, "answered by b'5' bytes, not 65536"),
        ({"ACQ:SOUR1:DATA?": b"#565536" + bytes(100)}, "did not answer within"),
        ({"ACQ:SOUR1:DATA?": b"#565536" + bytes(65536) + b"xx"}, "does not end"),
        ({"ACQ:SOUR1:DATA?": b"#565536" + b"\x7f" * 65536 + b"\r\n"}, "beyond its range"),
    ],
)
def test_nonsense_is_an_error_and_never_a_sample(answers, message):
    listener, thread = answering({**GOOD, **answers})
    digitizer = RedPitayaDigitizer(
        "rp", host="127.0.0.1", port=listener.getsockname()[1], channels=(1,),
        sample_rate=RATE, timeout=0.2 if "within" in message or "in time" in message else 30.0,
    )  # fmt: skip

    def use() -> None:
        digitizer.connect()
        digitizer.start()
        buffer = np.zeros((100, 1), np.float32)
        while digitizer.read_into(buffer).samples == 0:  # a board that fills its buffer
            pass

    begin = time.monotonic()
    with pytest.raises(DeviceError, match=message) as caught:
        use()
    assert str(caught.value).startswith("rp")
    assert time.monotonic() - begin < 60.0
    digitizer.disconnect()
    listener.close()
    thread.join(60.0)


def test_a_server_that_dies_faults_the_digitizer():
    server = serve_redpitaya(make_rig().digitizer)
    digitizer = board(server)
    digitizer.connect()
    digitizer.start()
    rows = np.zeros((BUFFER, 2), np.float32)
    digitizer.read_into(rows)
    server.stop()
    with pytest.raises(LinkError, match=r"^rp: "):
        digitizer.read_into(rows)
    assert digitizer.state is DeviceState.FAULTED
    digitizer.stop()
    digitizer.disconnect()
