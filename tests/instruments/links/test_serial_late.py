"""A serial line carries what was asked before it was opened: a late answer is nobody's."""

from __future__ import annotations

import os
import select
import sys
import threading

import pytest

from optobind.instruments.links.base import LinkError

pytest.importorskip("pyvisa")
pytest.importorskip("serial")
if sys.platform == "win32":
    pytest.skip("no pseudo terminals", allow_module_level=True)

from optobind.instruments.links import visa
from optobind.instruments.links.visa import VisaLink

pytestmark = pytest.mark.realtime

LATE = 0.06  # s after the line was opened anew


class LateDevice:
    """Answers each line with itself, in turn, but none before it is let go."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._free, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            if select.select([self._master], [], [], 0.02)[0]:
                data = os.read(self._master, 1000)
                self._free.wait(60.0)
                os.write(self._master, data)

    def let_go(self) -> None:
        self._free.set()

    def stop(self) -> None:
        self._free.set()
        self._over.set()
        self._thread.join()


def test_the_answer_to_a_question_of_before_is_not_read_as_the_next_one(monkeypatch):
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    device, address = LateDevice(master), f"ASRL{os.ttyname(slave)}::INSTR"
    try:
        hasty = VisaLink(address, timeout=0.05)
        hasty.open()
        with pytest.raises(LinkError, match="in time"):
            hasty.query("before")
        hasty.close()
        # Open, but for throwing away what waits.
        late = threading.Timer(LATE, device.let_go)
        monkeypatch.setattr(visa, "_send_at_once", lambda _: late.start())
        link = VisaLink(address, timeout=30.0)
        link.open()
        assert link.query("now") == "now"
        link.close()
    finally:
        device.stop()
        os.close(master)
        os.close(slave)
