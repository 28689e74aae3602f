"""Rigs, plans and simulated runs by name, as a notebook asks for them."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

import optobind as ob
from optobind.acquisition.outcome import RunOutcome
from optobind.config import notebook

RIG = "simulated-pair"


def test_a_simulated_run_is_opened_calibrated_at_the_place_asked_for(tmp_path: Path) -> None:
    record = ob.simulate(RIG, ob.load_plan("monitor", ["duration=0.05 s"]), out=str(tmp_path / "a"))
    assert record.path == tmp_path / "a" / "run.h5"
    assert record.unit == "m"
    assert sum(stop - start for start, stop in record.steady()) == pytest.approx(1e5, rel=0.05)


def test_settings_and_seed_reach_the_simulation(tmp_path: Path) -> None:
    plan = ob.MonitorPlan(duration=0.01)
    one, again, other = (
        ob.simulate(RIG, plan, out=tmp_path / f"{i}", settings=[f"simulation.seed={seed}"]).samples
        for i, seed in enumerate((1, 1, 2))
    )
    assert (one == again).all()
    assert (one != other).any()


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    ob.simulate(RIG, ob.MonitorPlan(duration=0.01), out=tmp_path).close()
    before = (tmp_path / "run.h5").read_bytes()
    with pytest.raises(ob.FileError, match="exists already"):
        ob.simulate(RIG, ob.MonitorPlan(duration=0.01), out=tmp_path)
    assert (tmp_path / "run.h5").read_bytes() == before


def test_a_plan_without_an_end_and_a_rig_that_is_not_simulated_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "none"
    with pytest.raises(ob.InputError, match="give a duration"):
        ob.simulate(RIG, ob.MonitorPlan(duration=None), out=out)
    ob.simulate(RIG, ob.MonitorPlan(duration=0.01), out=tmp_path / "first").close()
    played = [f"devices.digitizer.path={(tmp_path / 'first' / 'run.h5').as_posix()}"]
    with pytest.raises(ob.InputError, match="is REPLAY, not simulated"):
        ob.simulate("replay", ob.MonitorPlan(), out=out, settings=played)
    assert not out.exists()


def test_ctrl_c_ends_a_simulated_run_in_good_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is aborted, its file closed and the session's threads gone."""
    path, real_wait, pressed = tmp_path / "run.h5", notebook.wait, []

    def wait(futures: list[Future[RunOutcome]], timeout: float) -> object:
        """As if the key were pressed while the run is under way."""
        deadline = time.monotonic() + 60.0
        while not pressed:
            assert time.monotonic() < deadline
            assert not any(future.done() for future in futures)  # refused, say
            time.sleep(0.01)
            if path.exists():
                pressed.append(True)
                raise KeyboardInterrupt
        return real_wait(futures, timeout=timeout)

    monkeypatch.setattr(notebook, "wait", wait)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        ob.simulate(RIG, ob.MonitorPlan(duration=300.0), out=tmp_path)
    assert threading.active_count() <= before
    with ob.RunFile.open(path) as run:
        assert run.manifest["outcome"] == "aborted"


def test_a_rig_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    shipped = Path(notebook.__file__).parent / "rigs" / f"{RIG}.toml"
    path.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    rig = ob.load_rig(path)
    assert rig.mode == "SIM"
    assert rig.trap == ob.load_trap(path)
    session = ob.Session(rig, live_fits=False)  # ready for use
    session.connect().result(60.0)
    session.close()


def test_an_unknown_rig_or_plan_is_told_with_those_that_exist() -> None:
    with pytest.raises(ob.FileError, match=re.escape("shipped: delic-2019")):
        ob.load_rig("nonsense")
    with pytest.raises(ob.FileError, match="shipped: demo"):
        ob.load_plan("nonsense")
