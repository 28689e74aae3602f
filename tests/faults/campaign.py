"""The campaign: which faults, on which drivers, several laboratories at a time, and the table."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .acts import PHASES, Act, Experiment
from .laboratory import ProxiedLaboratory
from .proxy import KINDS, Strike
from .referee import closing_time, judge, marked, segments


@dataclass(frozen=True)
class Bench:
    """One laboratory: dialects, lines, and the lines that are struck."""

    rf: str
    gauge: str
    digitizer: str = "ni"
    terminals: tuple[str, ...] = ()
    struck: tuple[str, ...] = ("rf", "gauge", "input", "gate")

    def family(self, line: str) -> str:
        """Name of the driver family behind a line, as the table has it."""
        if line in ("rf", "gauge"):
            serial = " (serial)" if line in self.terminals else ""
            return f"{getattr(self, line)}{serial}"
        return f"{'ni' if line == 'gate' else self.digitizer} {line}"


BENCHES = (
    Bench("keysight", "pfeiffer-tpg"),
    Bench("rigol-dg1000z", "mks-937b"),
    Bench("rigol-dg4000", "agilent-xgs600"),
    Bench("siglent", "pfeiffer-tpg", terminals=("gauge",)),
    Bench("moglabs", "mks-937b", terminals=("gauge",)),
    Bench("novatech-409b", "agilent-xgs600", terminals=("rf", "gauge")),
    Bench("aa-mdsnc", "mks-937b", terminals=("rf",)),
    Bench("moglabs", "agilent-xgs600", terminals=("rf",)),
    Bench("keysight", "pfeiffer-tpg", "redpitaya", struck=("input", "gate")),
)


@dataclass
class Found:
    """What became of one fault."""

    family: str
    act: dict[str, Any]
    wrong: list[str]
    closing: float | None
    log: list[str] = field(default_factory=list)
    seconds: float = 0.0


def acts_of(bench: Bench, seed: int, first: int, count: int) -> Iterator[Act]:
    """Acts number ``first`` and following of a bench: phases and lines in turn, all else drawn."""
    for number in range(first, first + count):
        dice = random.Random(f"{seed} {bench} {number}")
        line = bench.struck[number % len(bench.struck)]
        phase = PHASES[(number // len(bench.struck)) % len(PHASES)]
        strike = Strike(
            kind=dice.choice(KINDS),
            after=dice.choice((0, 0, 1, 2, 3, 5, 8)),
            seconds=dice.choice((0.05, 0.2, 0.5, 1.0, 1.5)),
            seed=dice.randrange(2**31),
            both=dice.random() < 0.5,
        )
        yield Act(line, phase, strike)


def carry_out(bench: Bench, acts: list[Act], log: Path | None = None) -> list[Found]:
    """Meet the faults one after the other on one laboratory; look at what is left at the end."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    os.environ["OPTOBIND_FAULTS"] = mark  # children carry it, whatever session they are in
    found: list[Found] = []
    laboratory = ProxiedLaboratory(bench.rf, bench.gauge, bench.digitizer, bench.terminals)
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(laboratory, Path(folder))
        try:
            for act in acts:
                found.append(_one(bench, experiment, act))
                _note(found[-1], log)
        finally:
            experiment.close()
            laboratory.close()
    if left := _left(mark):
        found.append(Found("left behind", {"bench": asdict(bench)}, left, None))
        _note(found[-1], log)
    return found


def _note(one: Found, log: Path | None) -> None:
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")


def _one(bench: Bench, experiment: Experiment, act: Act) -> Found:
    experiment.log = []
    closing, begin = None, time.monotonic()
    try:
        seen = experiment.play(act)
        wrong, closing = judge(seen), closing_time(seen)
    except Exception:
        wrong = [*experiment.trouble, f"the act broke: {traceback.format_exc()}"]
        experiment.laboratory.heal()
    if wrong:
        experiment.close()  # the next fault meets a new session
    took = time.monotonic() - begin
    return Found(bench.family(act.line), asdict(act), wrong, closing, list(experiment.log), took)


def _left(mark: str) -> list[str]:
    """Processes and shared memory of this campaign that are left, a line each."""
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        processes = [p for p in marked(mark) if p != os.getpid() and not _helper(p)]
        memory = segments([os.getpid()])
        if not processes and not memory:
            return []
        time.sleep(0.1)
    return [f"processes left: {processes}", f"memory left: {memory}"]


def _helper(process: int) -> bool:
    """Python's resource tracker lives as long as the campaign's own process does."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return True
    return b"resource_tracker" in command


def run(seed: int, count: int, jobs: int, log: Path | None = None, part: int = 12) -> list[Found]:
    """Meet ``count`` faults, spread over all benches; print each that was met badly.

    Parameters
    ----------
    seed : int
        Of everything that is drawn.
    count, jobs, part : int
        Faults, laboratories at a time, faults on one laboratory before it is built anew.
    log : Path or None
        Gets a line of JSON for each fault.
    """
    each = -(-count // len(BENCHES))
    parts = [
        (bench, list(acts_of(bench, seed, first, min(part, each - first))))
        for first in range(0, each, part)
        for bench in BENCHES
    ]
    found: list[Found] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        waiting = {pool.submit(carry_out, bench, acts, log): bench for bench, acts in parts}
        for done in as_completed(waiting):
            for one in _results(done, waiting[done]):
                found.append(one)
                _tell(one)
            sys.stderr.write(f"\r{len(found)} faults, {sum(bool(f.wrong) for f in found)} bad ")
            sys.stderr.flush()
    return found


def _results(done: Future[list[Found]], bench: Bench) -> list[Found]:
    """What was found; a laboratory that could not be built is wrong, too, and holds up no other."""
    try:
        return done.result()
    except Exception:
        wrong = [f"the laboratory broke: {traceback.format_exc()}"]
        return [Found("broken laboratory", {"bench": asdict(bench)}, wrong, None)]


def _tell(one: Found) -> None:
    if one.wrong:
        print(f"\n{one.family} {one.act}", *one.wrong, "log:", *one.log[-12:], sep="\n   ")
        sys.stdout.flush()


def table(found: list[Found]) -> str:
    """Faults per family and kind, how many went wrong, and the slowest return of feedback."""
    families = list(dict.fromkeys(one.family for one in sorted(found, key=lambda f: f.family)))
    head = f"{'family':28}" + "".join(f"{kind:>8}" for kind in KINDS)
    rows = [f"{head}{'all':>8}{'wrong':>8}{'slowest, s':>12}"]
    for family in [*families, "all"]:
        these = [one for one in found if family in (one.family, "all")]
        kinds = Counter(one.act["strike"]["kind"] for one in these if "strike" in one.act)
        slowest = max((one.closing or 0.0 for one in these), default=0.0)
        rows.append(
            f"{family:28}"
            + "".join(f"{kinds[kind]:8d}" for kind in KINDS)
            + f"{len(these):8d}{sum(bool(one.wrong) for one in these):8d}{slowest:12.2f}"
        )
    return "\n".join(rows)
