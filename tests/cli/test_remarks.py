"""``optobind run`` says what drivers have to say to their user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from optobind.instruments.fakes import FakeGate

from ..acquisition.test_feedback import rig_with
from ..acquisition.test_remarks import notes


def test_what_devices_say_on_connect_is_in_the_record_and_on_the_terminal(
    optobind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_with(FakeGate())
    remark = "digitizer: after every 16384 samples there is a gap"
    monkeypatch.setattr(type(rig.digitizer), "remarks", (remark,), raising=False)
    monkeypatch.setattr("optobind.cli.run.build_rig", lambda _loaded, **_: rig)
    answer = optobind(
        "run",
        "monitor",
        "--rig",
        "simulated-pair",
        "--out",
        tmp_path,
        "--set",
        "plan.duration=10 ms",
    )
    assert answer.code == 0
    assert answer.err.splitlines().count(f"warning: {remark}") == 1
    assert notes(tmp_path / "run.h5") == [remark]
