from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from optobind.instruments.slm.wire import receive, record_folder, send, write_record


@pytest.fixture
def ends():
    a, b = socket.socketpair()
    with a, b:
        a.settimeout(1.0)
        b.settimeout(1.0)
        yield a, b


def test_messages_arrive_with_their_data(ends):
    a, b = ends
    send(a, {"do": "show", "text": "φ"}, b"\x00\xff" * 500)
    send(a, {})
    header, data = receive(b)
    assert header == {"do": "show", "text": "φ", "size": 1000}
    assert data == b"\x00\xff" * 500
    assert receive(b) == ({"size": 0}, b"")


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"\xff\xff\xff\xff", "a message of 4294967295 bytes"),
        (b"\x00\x00\x00\x02[]", "a message without a size"),
        (b"\x00\x00\x00\x0b" + b'{"size":-1}', "a message with -1 bytes"),
        (b"\x00\x00\x00\x04nope", "Expecting value"),
        (b"\x00\x00\x00\x04\xff\xfe\xfd\xfc", "utf-8"),
    ],
)
def test_what_is_no_message_is_refused(ends, sent, complaint):
    a, b = ends
    a.sendall(sent)
    with pytest.raises(ValueError, match=complaint):
        receive(b)


def test_half_a_message_ends_in_time_or_with_the_connection(ends):
    a, b = ends
    b.settimeout(0.05)
    a.sendall(b"\x00\x00\x00\x20{")
    with pytest.raises(TimeoutError):
        receive(b)
    a.close()
    with pytest.raises(ConnectionError):
        receive(b)


def test_records_are_whole_and_closed_to_others(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = record_folder()
    assert folder == tmp_path / "optobind"
    write_record(folder / "display-1.json", {"token": "x"})
    write_record(folder / "display-1.json", {"token": "y"})
    assert json.loads((folder / "display-1.json").read_text(encoding="utf-8")) == {"token": "y"}
    assert [path.name for path in folder.iterdir()] == ["display-1.json"]
    if sys.platform != "win32":
        assert (folder / "display-1.json").stat().st_mode & 0o077 == 0
        assert folder.stat().st_mode & 0o077 == 0


def test_without_a_run_time_folder_the_temporary_one_is_used(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = os.getuid() if sys.platform != "win32" else "user"
    assert record_folder() == tmp_path / f"optobind-{owner}"
