"""Programs that are killed, and terminals that are closed, while they run an experiment.

The recorder is a thread of the program, so that killing the program kills it; what it had written
must be readable afterwards.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from optobind.acquisition.recover import recover
from optobind.acquisition.runfile import RunFile
from optobind.config.documents import to_toml
from optobind.models.errors import OptobindError

from ..cli.terminal import Terminal
from .laboratory import ProxiedLaboratory
from .referee import CLOSING, Evidence, closing_time, judge, marked, segments

VICTIMS = {"program": 18, "group": 6, "guardian": 12, "window": 10, "fits": 6, "terminal": 20}
"""What ends, and how often in the whole campaign: 52 kills, 20 terminals."""

STAGES = ("release", "cooling", "release", "connect", "release", "end")
_WAIT = 180.0  # s, for a program on a busy computer
_PLAN = (
    "plan.repetitions=2000", "plan.cool_time=50 ms", "plan.release_time=100 ms",
)  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """Who is killed, and when."""

    victim: str
    stage: str
    seed: int

    @property
    def dice(self) -> random.Random:
        return random.Random(f"kill {self}")


def kills_of(seed: int, share: float = 1.0) -> list[Kill]:
    """All kills of a campaign; a smaller ``share`` has fewer of each."""
    return [
        Kill(victim, STAGES[number % len(STAGES)], seed * 1000 + number)
        for victim, count in VICTIMS.items()
        for number in range(max(1, round(share * count)))
    ]


class Victim:
    """A program on the laboratory, with all that it starts."""

    def __init__(self, kill: Kill, laboratory: ProxiedLaboratory, folder: Path) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.out = Path(tempfile.mkdtemp(dir=folder))
        rig = self.out / "lab.toml"
        rig.write_text(to_toml(laboratory.document()), encoding="utf-8")
        os.environ["OPTOBIND_FAULTS"] = self.mark
        self.terminal: Terminal | None = None
        if kill.victim in ("window", "fits"):
            command = [str(Path(__file__).with_name("window_main.py")), str(rig), str(self.out)]
        else:
            command = ["-m", "optobind", "run", "reheating", "--rig", str(rig)]
            command += [part for setting in _PLAN for part in ("--set", setting)]
            command += ["--out", str(self.out)]
        if kill.victim == "terminal":
            self.terminal = Terminal(*command, module=False)
            self.process = self.terminal.process
        else:
            log = (self.out / "log").open("wb")
            self.process = subprocess.Popen(
                [sys.executable, *command], stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            )  # fmt: skip
            log.close()

    def said(self) -> str:
        """What it wrote on its terminal."""
        if self.terminal is not None:
            return self.terminal.text.decode(errors="replace")
        return (self.out / "log").read_text(errors="replace")

    def children(self, own_session: bool) -> list[int]:
        """Processes that it started: the guardian has a session of its own."""
        found = []
        for process in marked(self.mark):
            with suppress(OSError):
                apart = os.getsid(process) == process
                command = Path(f"/proc/{process}/cmdline").read_bytes()
                if process != self.process.pid and apart is own_session:
                    if b"resource_tracker" not in command and process != os.getpid():
                        found.append(process)
        return found

    def end(self) -> None:
        """After everything: leave nothing behind, whatever went wrong."""
        for process in [*marked(self.mark)]:
            if process != os.getpid():
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        if self.terminal is not None:
            self.terminal.end()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10.0)


def _wait(what: Callable[[], bool], seconds: float = _WAIT) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def carry_out(kill: Kill, laboratory: ProxiedLaboratory, folder: Path) -> tuple[list[str], float]:
    """Let a program run, kill, and judge.

    Returns
    -------
    wrong : list of str
        A line each; none if nothing.
    closing : float
        How long the gate stayed open afterwards, s.
    """
    dice, victim = kill.dice, Victim(kill, laboratory, folder)
    before, marks = laboratory.tones(), (len(laboratory.heard), len(laboratory.gate.levels) - 1)
    text = laboratory.lines["rf"]
    heard = len(text.sent), len(text.received)
    try:
        wrong = _approach(kill, victim, laboratory, dice)
        begin = time.monotonic()
        wrong += _strike(kill, victim, laboratory)
        _wait(lambda: laboratory.gate.closed, CLOSING + 10.0)
        time.sleep(0.1)
        seen = Evidence(
            dialect=laboratory.dialects["rf"], begin=begin, end=time.monotonic(), due=begin,
            before=before, goal=before, after=laboratory.tones(),
            tones=laboratory.heard[marks[0] :], wrote=text.sent[heard[0] :],
            got=text.received[heard[1] :], gate=laboratory.gate.levels[marks[1] :],
            may_open=True,
        )  # fmt: skip
        late = closing_time(seen)
        wrong += [] if kill.victim == "fits" else judge(seen)
        wrong += _afterwards(kill, victim, laboratory)
        if wrong:
            wrong.append(victim.said()[-1500:])
        return wrong, late or 0.0
    finally:
        victim.end()


def _approach(
    kill: Kill, victim: Victim, laboratory: ProxiedLaboratory, dice: random.Random
) -> list[str]:
    """Wait for the stage; what is wrong if it does not come."""
    run, said = victim.process, laboratory.lines["rf"].sent
    if kill.stage == "connect" and kill.victim in ("program", "group", "terminal"):
        before = len(said)  # of those that were killed before
        _wait(lambda: len(said) > before)
        time.sleep(dice.uniform(0.0, 1.0))
        return []
    there = _wait(lambda: run.poll() is not None or (victim.out / "run.h5").exists())
    there = there and _wait(lambda: run.poll() is not None or not laboratory.gate.closed)
    if not there or run.poll() is not None:
        return [f"no run: exit {run.poll()}"]
    time.sleep(dice.uniform(0.0, 0.5))
    wanted = kill.stage == "cooling"
    _wait(lambda: run.poll() is not None or laboratory.gate.closed is wanted, 20.0)
    if kill.stage == "end" and kill.victim in ("program", "group"):
        os.kill(run.pid, signal.SIGINT)
        time.sleep(dice.uniform(0.0, 0.4))
    return []


def _strike(kill: Kill, victim: Victim, laboratory: ProxiedLaboratory) -> list[str]:
    run = victim.process
    if kill.victim in ("program", "window"):
        run.kill()
    elif kill.victim == "group":
        os.killpg(run.pid, signal.SIGKILL)
    elif kill.victim == "terminal":
        assert victim.terminal is not None
        victim.terminal.close()
    else:
        found = victim.children(own_session=kill.victim == "guardian")
        if not found:
            return [f"there is no process to kill: {kill.victim}"]
        for process in found:
            os.kill(process, signal.SIGKILL)
    return []


def _afterwards(kill: Kill, victim: Victim, laboratory: ProxiedLaboratory) -> list[str]:
    """End what lives on; look at exit code, file, processes and memory."""
    wrong, run = [], victim.process
    if kill.victim == "fits":
        time.sleep(1.0)
        if run.poll() is not None:
            wrong.append(f"the window ended with its fits: exit {run.poll()}")
        run.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        run.wait(_WAIT)
    expected = {"terminal": {129}, "fits": {143}, "guardian": {4, 1}}.get(kill.victim, {-9, 130})
    if run.poll() not in expected:
        wrong.append(f"exit {run.poll()}, expected {expected}")
    if not _wait(lambda: laboratory.gate.closed, 5.0):
        wrong.append("the gate is open at the end")
    wrong += _readable(victim.out / "run.h5")
    if not _wait(lambda: not victim.children(True) and not victim.children(False), 20.0):
        wrong.append(f"left: {victim.children(True)} {victim.children(False)}")
    if kill.victim != "group" and not _wait(lambda: not segments([run.pid]), 20.0):
        wrong.append(f"memory left: {segments([run.pid])}")
    return wrong


def _readable(path: Path) -> list[str]:
    """A record that was begun can be read as far as it goes."""
    if not path.exists():
        return []
    try:
        with RunFile.open(path) as file:
            whole = file.complete
        if not whole:
            recover(path)
        with RunFile.open(path) as file:
            file.info()
    except OptobindError as error:
        return [f"the record cannot be read: {error}"]
    return []


def run(seed: int, share: float, log: Path | None) -> list[tuple[Kill, list[str], float]]:
    """Carry all kills out on one laboratory."""
    found = []
    laboratory = ProxiedLaboratory("keysight", "pfeiffer-tpg")
    with tempfile.TemporaryDirectory() as folder:
        try:
            for kill in kills_of(seed, share):
                wrong, late = carry_out(kill, laboratory, Path(folder))
                found.append((kill, wrong, late))
                line = f"{kill.victim:10}{kill.stage:9}{late:6.2f} s  {'; '.join(wrong) or 'well'}"
                print(line, flush=True)
                if log is not None:
                    with log.open("a", encoding="utf-8") as file:
                        file.write(line.replace("\n", "\\n") + "\n")
        finally:
            laboratory.close()
    return found


def table(found: list[tuple[Kill, list[str], float]]) -> str:
    """Kills and closed terminals, how many went wrong, and the slowest return of feedback."""
    rows = [f"{'killed':12}{'all':>6}{'wrong':>7}{'slowest, s':>12}"]
    for victim in VICTIMS:
        these = [entry for entry in found if entry[0].victim == victim]
        bad, slowest = sum(bool(w) for _, w, _ in these), max((t for *_, t in these), default=0.0)
        rows.append(f"{victim:12}{len(these):6d}{bad:7d}{slowest:12.2f}")
    return "\n".join(rows)
