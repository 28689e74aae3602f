"""``optobind instruments test``: a loop-back test of a rig's gate, pattern player and channels."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..config.build import build_rig
from ..config.load import LoadedRig, read_rig
from ..instruments.digitizers.loopback import loopback_test
from ..instruments.digitizers.loopback_pattern import pattern_test
from ..instruments.digitizers.skew import skew_test
from ..models.errors import DeviceError, InputError
from ..models.ranges import require_count, require_range
from .loopback_findings import Findings, findings_of
from .output import print_json, print_result, print_text, warn, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..instruments.rig import Rig

__all__ = ["LoopbackOptions", "run_loopback"]

_TOLERANCE = 10.0  # s: nothing is refused while it is measured, the findings compare
_LONGEST_DWELL = 1.0


@dataclass(frozen=True)
class LoopbackOptions:
    """What is tested, and how.

    Attributes
    ----------
    channel : str or None
        Name or number of the channel on which the gate's edge shows; None for the one monitor.
    shows : {"line", "feedback"} or None
        Whether the channel sees the gate's line itself or what it does; None for the line of a
        real gate and the feedback of a simulated one.
    edges : int
        How often the gate is switched by software, and half as often by the card.
    dwell : float
        Time between two edges, s.
    common : tuple of str
        Channels that see one common signal.
    sure : bool
        Whether the gate may be opened though particles may be trapped.
    out : Path or None
        Where the fragment of the rig file goes.
    as_json : bool
        Whether the answer is JSON.
    """

    channel: str | None = None
    shows: Literal["line", "feedback"] | None = None
    edges: int = 20
    dwell: float = 0.05
    common: tuple[str, ...] = ()
    sure: bool = False
    out: Path | None = None
    as_json: bool = False


def run_loopback(rig: str, settings: Sequence[str], options: LoopbackOptions) -> int:
    """Measure, print a table and a fragment of the rig file; return the exit code.

    Returns
    -------
    int
        0, or 4 if something is not as the rig file says.

    Raises
    ------
    InputError
        If the rig lacks what the test needs, or nobody has said that the gate may be opened.
    DeviceError
        If a device fails; the gate has been closed, or it is said that it could not be.
    """
    require_count("--edges", options.edges, 4, 2000)
    require_range("--dwell", options.dwell, 1e-4, _LONGEST_DWELL, "s")
    loaded = read_rig(rig, settings)
    built = build_rig(loaded)
    if built.gate is None:
        raise InputError(f"rig {loaded.name} has no gate to be tested: add [devices.gate]")
    warn(built.warnings)
    with _connected(built):
        names = built.digitizer.info.channels
        column = _column(built, options.channel)
        common = tuple(_named(names, entry, "--common") for entry in options.common)
        _require_leave(options, built, names[column])
        findings = _measured(loaded, built, column, common, options)
    if options.as_json:
        print_json(findings.to_json())
    else:
        print_result(findings.table())
        print_text(findings.fragment)
    for problem in findings.problems:
        sys.stderr.write(f"optobind: {problem}\n")
    if options.out is not None:  # last: what was measured is not lost with a folder that is missing
        write_text(options.out, findings.fragment)
    return DeviceError.exit_code if findings.problems else 0


@contextmanager
def _connected(rig: Rig) -> Iterator[None]:
    """The devices of the test, connected; gate before player before digitizer."""
    devices = [device for device in (rig.gate, rig.pattern, rig.digitizer) if device is not None]
    try:
        for device in devices:
            device.connect()
        yield
    finally:
        for device in reversed(devices):
            with suppress(DeviceError):  # what was found is not spoilt by it
                device.disconnect()


def _column(rig: Rig, wanted: str | None) -> int:
    """Channel that watches the gate.

    Raises
    ------
    InputError
        Names the channels, and what is to be wired.
    """
    names = rig.digitizer.info.channels
    if wanted is not None:
        return _named(names, wanted, "--channel")
    monitors = [d.channel for d in rig.detectors if d.role == "monitor"]
    monitors += [c for c in range(len(names)) if c not in {d.channel for d in rig.detectors}]
    if len(monitors) == 1:
        return monitors[0]
    raise InputError(
        "say on which channel the edges of the gate show: wire its line (or a monitor of the "
        f"feedback) to a spare input and give --channel; channels: {', '.join(names)}"
        + ("; here --set devices.gate.loopback=true wires it" if rig.mode == "SIM" else "")
    )


def _named(names: tuple[str, ...], wanted: str, option: str) -> int:
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise InputError(f"{option} {wanted!r} is no channel of this rig; known: {', '.join(names)}")


def _require_leave(options: LoopbackOptions, rig: Rig, channel: str) -> None:
    """Ask whether the gate may be opened, or refuse.

    Raises
    ------
    InputError
        Without --yes where nobody can be asked, or after a no.
    """
    times = options.edges // 2 * (1 if rig.pattern is None else 2)
    text = (
        f"the gate of {rig.name} is opened about {times} times for {1e3 * options.dwell:g} ms: "
        f"trapped particles are not cooled meanwhile; its edges are looked for on {channel}"
    )
    if options.sure:
        return
    if options.as_json or not sys.stdin.isatty():
        raise InputError(f"{text}; give --yes if that may be")
    sys.stderr.write(f"{text}. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError("the test was not begun: the gate has not been touched")


def _measured(
    loaded: LoadedRig, rig: Rig, column: int, common: tuple[int, ...], options: LoopbackOptions
) -> Findings:
    """Measure by software, by the card, and between the channels."""
    assert rig.gate is not None
    digitizer, devices = rig.digitizer, loaded.config.devices
    table = None if devices is None else devices.gate
    real = options.shows == "line" or (options.shows is None and rig.mode == "LIVE")
    polarity: Literal[1, -1] = 1 if not real or getattr(table, "active_high", True) else -1
    rig.gate.set(True)
    software = loopback_test(
        digitizer,
        rig.gate,
        column,
        toggles=options.edges,
        dwell=options.dwell,
        polarity=polarity,
        tolerance=_TOLERANCE,
        longest_jitter=_TOLERANCE,
    )
    played, refused = None, ""
    if rig.pattern is not None and software.polarity:
        try:
            played = pattern_test(
                digitizer,
                rig.gate,
                rig.pattern,
                column,
                pulses=options.edges // 2,
                dwell=options.dwell,
                polarity=polarity,
            )
        except InputError as error:
            refused = str(error)
    skew = skew_test(digitizer, common) if common else None
    return findings_of(loaded, digitizer.info, column, software, played, skew, refused)
