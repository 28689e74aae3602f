"""What ``optobind tune feedback`` does: a session, the tuning on it, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.build import build_rig
from ..config.load import read_rig
from ..models.errors import InputError, OptobindError
from ..models.units import split_number
from .options import quantity_option
from .output import (
    console_for_progress,
    make_directory,
    print_json,
    print_result,
    warn,
    write_json,
    write_text,
)
from .tune_report import fragment_of, gain_text, report_of, step_text, values_of

if TYPE_CHECKING:
    from ..acquisition.session import Session
    from ..analysis.tuning.plan import LoopTuning, Step, TuneSettings
    from ..analysis.tuning.reading import LineReader
    from ..config.load import LoadedRig
    from ..instruments.controller_protocol import ControllerCapabilities
    from ..instruments.rig import Rig

__all__ = ["TuneOptions", "tune_feedback"]

_BLOCK_SECONDS = 1e-3  # between two blocks a setting is given up
_SHARE = 0.1  # of the digitizer's range: rms that is thought safe
_SAFE = 1e-8  # m: rms that is thought safe where the range is not known


@dataclass(frozen=True)
class TuneOptions:
    """Options of ``tune feedback`` in SI; gains as they were given."""

    particles: tuple[int, ...] = ()
    seconds: float = 0.2
    probe_seconds: float = 0.03
    probe_gain: str | None = None
    max_gain: str | None = None
    band: tuple[float, float] | None = None
    apply: bool = True
    dry_run: bool = False
    accept_loss: bool = False


def tune_feedback(
    name: str, settings: Sequence[str], options: TuneOptions, out: Path | None, as_json: bool
) -> int:
    """Tune the loops of a rig; return the exit code."""
    from ..acquisition.loops import controller_of
    from ..acquisition.session import Session
    from ..analysis.tuning.reading import readers_of
    from .following import connected
    from .gate import closing_the_gate
    from .signals import collected_endings

    loaded = read_rig(name, settings)
    rig = build_rig(loaded, watched=False)
    controller_of(rig)
    readers = readers_of(rig, options.band)
    particles = _particles(options, readers)
    if options.dry_run:
        _show_dry_run(rig, readers, particles, options, as_json)
        return 0
    _require_consent(rig, options)
    if out is not None:
        make_directory(out)
    with collected_endings() as endings:
        session = Session(rig, live_fits=False, block_seconds=_BLOCK_SECONDS)
        with closing_the_gate(session, lambda: bool(endings.numbers)):
            connected(session, endings)
            warn([*session.remarks(), *session.slow_troubles()])
            tuned, failure = _tune(session, readers, particles, options, endings.numbers)
        told = [entry.text for entry in session.take_log() if entry.level == "error"]
    warn(told)
    _report(loaded, rig, tuned, options, out, as_json, failed=failure is not None)
    if failure is not None:
        if endings.numbers:
            warn([str(failure)])
            return endings.exit_code
        raise failure
    return endings.exit_code


def _require_consent(rig: Rig, options: TuneOptions) -> None:
    """Refuse to entrust real particles unasked: a wrong phase heats until it is noticed."""
    if rig.mode == "LIVE" and not options.accept_loss:
        raise InputError(
            "tuning tries phases at which feedback heats, and lost one particle in some thirty "
            "simulated tunings: with particles that may be lost say --accept-loss, and keep the "
            "first gain small, --probe-gain"
        )


def _particles(options: TuneOptions, readers: Sequence[LineReader]) -> tuple[int, ...]:
    """Particles to be tuned: those asked for, else all that can be."""
    there = [reader.particle for reader in readers]
    for particle in options.particles:
        if particle not in there:
            known = ", ".join(str(one + 1) for one in there)
            raise InputError(
                f"particle {particle + 1} has no out-of-loop detector in this rig; known: {known}"
            )
    return tuple(dict.fromkeys(options.particles)) or tuple(there)


def _tune(
    session: Session,
    readers: Sequence[LineReader],
    particles: Sequence[int],
    options: TuneOptions,
    endings: Sequence[int],
) -> tuple[list[LoopTuning], OptobindError | None]:
    """Tune, and say what ended it early; loops are at settings that were known to cool then."""
    from ..analysis.tuning.session_desk import SessionDesk
    from ..analysis.tuning.tuner import FeedbackTuner

    status = session.status()
    if status.feedback is False:
        raise InputError("feedback is off: close the gate first, loops are tuned while they act")
    desk = SessionDesk(session, lambda: bool(endings))
    limits = desk.capabilities
    _require_on(desk.on(), particles)
    console = console_for_progress()

    def tell(step: Step) -> None:
        console.print(step_text(step, limits), soft_wrap=True)

    tuner = FeedbackTuner(
        desk, readers, settings_of(options, limits), _ceiling(session.rig, readers), tell
    )
    if session.rig.digitizer.info.real_time:
        session.stream(True).result()  # a card is not started anew for each try
    failure: OptobindError | None = None
    try:
        tuner.tune(particles)
    except OptobindError as error:
        failure = error
    tuned = list(tuner.loops.values())
    if not options.apply and failure is None:
        for loop in tuned:
            desk.set(loop.particle, loop.start)
    return tuned, failure


def _require_on(on: Sequence[bool], particles: Sequence[int]) -> None:
    """Refuse loops that do not exist, or whose output is off at the controller."""
    for particle in particles:
        if particle >= len(on):
            raise InputError(f"the controller has no loop for particle {particle + 1}")
        if not on[particle]:
            raise InputError(
                f"the output of loop {particle + 1} is off at the controller: switch it on there"
            )


def settings_of(options: TuneOptions, limits: ControllerCapabilities) -> TuneSettings:
    """Settings of the tuning in the controller's unit."""
    from ..analysis.tuning.plan import TuneSettings

    return TuneSettings(
        seconds=options.seconds,
        probe_seconds=options.probe_seconds,
        probe_gain=_gain("--probe-gain", options.probe_gain, limits),
        most_gain=_gain("--max-gain", options.max_gain, limits),
    )


def _gain(name: str, text: str | None, limits: ControllerCapabilities) -> float | None:
    """Read a gain: Γ/2π in Hz for a controller of damping rates, else a number."""
    if text is None:
        return None
    if limits.gain_unit == "1/s":
        value = quantity_option(name, text, "Hz")
        assert value is not None
        value *= math.tau
    else:
        try:
            value, unit = split_number(text)
        except ValueError as error:
            raise InputError(f"{name} {error}") from None
        if unit not in ("", "V/V"):
            raise InputError(f"{name} {text[:40]!r}: this controller's gain is in V/V")
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"{name} must be positive, got {text[:40]!r}")
    return float(value)


def _ceiling(rig: Rig, readers: Sequence[LineReader]) -> float:
    """Mean square of a detector's voltage that is thought safe, V²."""
    info = rig.digitizer.info
    if info.dtype == "int16":
        return min((_SHARE * 32768.0 * info.scale[r.column]) ** 2 for r in readers)
    return min((_SAFE * r.volts_per_metre) ** 2 for r in readers)


def _show_dry_run(
    rig: Rig,
    readers: Sequence[LineReader],
    particles: Sequence[int],
    options: TuneOptions,
    as_json: bool,
) -> None:
    """Say what would be done; nothing is connected."""
    tries, probes = 16, 12
    seconds = len(particles) * (tries * options.seconds + probes * options.probe_seconds)
    chosen = [reader for reader in readers if reader.particle in particles]
    values: dict[str, Any] = {
        "rig": rig.name,
        "particles": [particle + 1 for particle in particles],
        "detectors": {str(r.particle + 1): r.name for r in chosen},
        "lines_hz": {str(r.particle + 1): r.expected for r in chosen},
        "seconds_of_record": seconds,
    }
    if as_json:
        print_json(values)
        return
    lines = [f"rig {rig.name}: feedback loops of {len(particles)} particles"]
    lines += [
        f"particle {r.particle + 1}: out-of-loop detector {r.name}, line near "
        f"{r.expected / 1e3:.2f} kHz"
        for r in chosen
    ]
    lines.append(
        f"about {tries} settings of {options.seconds:g} s and {probes} of at most "
        f"{options.probe_seconds:g} s each: {seconds:.3g} s of record; gate and light stay"
    )
    print_result("\n".join(lines))


def _report(
    loaded: LoadedRig,
    rig: Rig,
    tuned: Sequence[LoopTuning],
    options: TuneOptions,
    out: Path | None,
    as_json: bool,
    *,
    failed: bool,
) -> None:
    """Print and store what was found, also of a tuning that ended early."""
    if not tuned or not any(loop.steps for loop in tuned):
        return
    assert rig.controller is not None
    limits = rig.controller.capabilities
    values = values_of(loaded, rig, tuned, applied=options.apply and not failed)
    fragment = fragment_of(loaded, rig, tuned, limits)
    if out is not None:
        write_json(out / "tune.json", values)
        if fragment:
            write_text(out / "controller.toml", fragment)
    if as_json:
        print_json(values)
        return
    if failed:
        return
    print_result(report_of(tuned, values, limits))
    if fragment:
        print_result(f"to paste into the rig file:\n{fragment}")
    if not options.apply:
        first = ", ".join(gain_text(loop.start, limits) for loop in tuned)
        print_result(f"not applied: the loops are as they were found ({first})")
