"""What a loop-back test has found: compared with the rig file, as a table, JSON and a fragment."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..config.documents import to_toml
from ..config.load import LoadedRig
from ..instruments.digitizers.loopback import LoopbackReport
from ..instruments.digitizers.loopback_pattern import PatternReport
from ..instruments.digitizers.skew import SkewReport
from ..instruments.protocols import DigitizerInfo
from ..models.prefixes import engineering

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Findings", "findings_of"]

_NOTICEABLE = 20e-9  # s, of a delay between channels: 1° at 140 kHz


@dataclass(frozen=True)
class SwitchTimes:
    """When the gate acts after a command, as the record shows.

    Attributes
    ----------
    latency : float
        Age of the digitizer's count of samples when it arrives, s.
    latency_error : float
        Half the width of the range in which it lies, s.
    delay : float
        From the switching of the line until the gate acts, s.
    call : float
        Mean time from a command until the gate acts, s.
    jitter : float
        Standard deviation of that time, s.
    """

    latency: float
    latency_error: float
    delay: float
    call: float
    jitter: float


@dataclass(frozen=True)
class Row:
    """A line of the table: what, the value measured and the one configured, with units."""

    what: str
    measured: str
    configured: str = ""


@dataclass(frozen=True)
class Findings:
    """Everything that a test has found.

    Attributes
    ----------
    rig, channel : str
        What was tested, and where the edges were looked for.
    software : LoopbackReport
        Edges of commands.
    played : PatternReport or None
        Edges of a pattern.
    skew : SkewReport or None
        Delays between channels.
    times : SwitchTimes or None
        None if no edge was seen.
    rows : tuple of Row
        The table.
    fragment : str
        Lines of TOML to be pasted into the rig file.
    problems : tuple of str
        What is not as the rig file says; empty if all is well.
    """

    rig: str
    channel: str
    software: LoopbackReport
    played: PatternReport | None
    skew: SkewReport | None
    times: SwitchTimes | None
    rows: tuple[Row, ...]
    fragment: str
    problems: tuple[str, ...]

    def table(self) -> Table:
        """The table for a terminal."""
        from rich.markup import escape
        from rich.table import Table as RichTable

        table = RichTable(title=escape(f"loop-back test of {self.rig}"), title_justify="left")
        for column in ("", "measured", "rig file"):
            table.add_column(column)
        for row in self.rows:
            table.add_row(escape(row.what), escape(row.measured), escape(row.configured))
        return table

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, times in s."""
        return {
            "rig": self.rig,
            "channel": self.channel,
            "passed": not self.problems,
            "problems": list(self.problems),
            "software": asdict(self.software),
            "pattern": None if self.played is None else asdict(self.played),
            "skew": None if self.skew is None else asdict(self.skew),
            "times": None if self.times is None else asdict(self.times),
            "fragment": self.fragment,
        }


def findings_of(
    loaded: LoadedRig,
    info: DigitizerInfo,
    column: int,
    software: LoopbackReport,
    played: PatternReport | None,
    skew: SkewReport | None,
    refused: str,
) -> Findings:
    """Compare what was measured with the rig file.

    Parameters
    ----------
    loaded : LoadedRig
        The rig file.
    info : DigitizerInfo
        Of the digitizer.
    column : int
        Channel that watched the gate.
    software, played, skew
        Reports; None for what was not tested.
    refused : str
        Why the card did not play; empty if it did, or was not asked.
    """
    devices = loaded.config.devices
    gate = getattr(devices, "gate", None)
    digitizer = getattr(devices, "digitizer", None)
    late = info.real_time and hasattr(digitizer, "latency")
    times = _times(software, played, info, _configured_delay(gate), late)
    rows = _rows(software, played, skew, times, info, gate, getattr(devices, "pattern", None))
    reversed_ = software.polarity == -_expected(software)
    problems = [_loud(text) for text in software.problems]
    if played is not None:
        problems += [text for text in played.problems if "polarity" not in text]
    if refused:
        problems.append(f"the card did not play: {refused}")
    if skew is not None:
        problems += skew.problems
    fragment = _fragment(info, times, played, skew, gate, digitizer, reversed_)
    return Findings(
        loaded.name, info.channels[column], software, played, skew, times, tuple(rows), fragment,
        tuple(problems),
    )  # fmt: skip


def _expected(software: LoopbackReport) -> int:
    """Polarity that the rig file promises."""
    wrong = any("polarity is reversed" in text for text in software.problems)
    return -software.polarity if wrong else software.polarity


def _loud(text: str) -> str:
    if "polarity is reversed" not in text:
        return f"software: {text}"
    return (
        "POLARITY REVERSED: feedback is off while optobind calls it on, if the channel shows the "
        "line: exchange devices.gate.active_high, or say with --shows what the channel shows"
    )


def _configured_delay(gate: Any) -> float:
    """Delay of the gate by the rig file, s; that of a simulated one is its switch's."""
    delay = getattr(gate, "switch_delay", None)
    return float(getattr(gate, "delay", 0.0) if delay is None else delay)


def _times(
    software: LoopbackReport,
    played: PatternReport | None,
    info: DigitizerInfo,
    configured: float,
    late: bool,
) -> SwitchTimes | None:
    """Latency and delay out of the edges of commands.

    An edge lies delay + latency after the sample that the digitizer said to be at when the line was
    switched. That was between the counts before and after the command, so the sum of the two lies
    between the largest "edge − count after" and the smallest "edge − count before". What the card
    plays shows the delay alone, and so the two are told apart; ``late`` says whether the count can
    be late at all.
    """
    if not software.delays:
        return None
    rate = info.sample_rate
    highest = min(software.delays) / rate
    lowest = max(software.ends, default=0) / rate
    call, jitter = float(software.delay), float(software.jitter)
    if played is not None and played.offset is not None:
        delay = max(0, played.offset - 1) / rate
        between = (lowest - delay, highest - delay)
        if not late:
            rest = 0.5 * (lowest + highest) if lowest > delay else delay
            return SwitchTimes(0.0, 0.0, rest, call, jitter)
        if between[0] <= 0.0:
            return SwitchTimes(0.0, max(0.0, between[1]), delay, call, jitter)
        half = 0.5 * abs(between[1] - between[0])
        return SwitchTimes(0.5 * sum(between), half, delay, call - 0.5 * sum(between), jitter)
    rest = 0.5 * (lowest + highest) - info.latency
    delay = rest if lowest > info.latency else min(configured, max(0.0, highest))
    return SwitchTimes(info.latency, math.nan, delay, call - info.latency, jitter)


def _rows(
    software: LoopbackReport,
    played: PatternReport | None,
    skew: SkewReport | None,
    times: SwitchTimes | None,
    info: DigitizerInfo,
    gate: Any,
    pattern: Any,
) -> list[Row]:
    low, high = software.levels
    rows = [
        Row("level with the gate open", f"{low:.4g} V"),
        Row("level with the gate closed", f"{high:.4g} V"),
        Row("polarity", {1: "higher when closed", -1: "lower when closed", 0: "not seen"}[
            software.polarity
        ]),
    ]  # fmt: skip
    if times is not None:
        error = times.latency_error
        spread = "" if math.isnan(error) else f" ± {engineering(error, 's', 2)}"
        jitter = getattr(gate, "switch_jitter", getattr(gate, "jitter", None))
        rows += [
            Row("edges seen", f"{len(software.delays)}"),
            Row("command until the gate acts", engineering(times.call, "s", 3)),
            Row("jitter of that", engineering(times.jitter, "s", 3),
                "" if jitter is None else engineering(jitter, "s", 3)),
            Row("delay of the gate", engineering(times.delay, "s", 3),
                engineering(_configured_delay(gate), "s", 3)),
            Row("transfer latency", engineering(times.latency, "s", 3) + spread,
                engineering(info.latency, "s", 3)),
        ]  # fmt: skip
    if played is not None and played.offset is not None:
        rows += [
            Row("played edges seen", f"{len(played.offsets)}"),
            Row("offset of played edges", f"{played.offset} samples",
                f"{getattr(pattern, 'offset', 0)} samples"),
            Row("scatter of played edges", f"{played.spread} samples"),
        ]  # fmt: skip
    if skew is not None:
        first = skew.channels[0]
        rows += [
            Row(f"{name} sampled after {first}",
                f"{engineering(delay, 's', 3)} ± {engineering(error, 's', 2)}")
            for name, delay, error in
            zip(skew.channels[1:], skew.delays[1:], skew.errors[1:], strict=True)
        ]  # fmt: skip
    return rows


def _fragment(
    info: DigitizerInfo,
    times: SwitchTimes | None,
    played: PatternReport | None,
    skew: SkewReport | None,
    gate: Any,
    digitizer: Any,
    reversed_: bool,
) -> str:
    """Lines to be pasted into the rig file."""
    devices: dict[str, dict[str, Any]] = {}
    if times is not None:
        named = ("delay", "jitter")
        named = ("switch_delay", "switch_jitter") if hasattr(gate, "switch_delay") else named
        if hasattr(gate, named[0]):
            values = (max(0.0, times.delay), times.jitter)
            devices["gate"] = {
                key: _seconds(value) for key, value in zip(named, values, strict=True)
            }
            if reversed_ and hasattr(gate, "active_high"):
                devices["gate"]["active_high"] = not gate.active_high
        if hasattr(digitizer, "latency") and not math.isnan(times.latency_error):
            devices["digitizer"] = {"latency": _seconds(times.latency)}
    if played is not None and played.offset is not None and played.offset >= 0:
        devices["pattern"] = {"offset": played.offset}
    text = to_toml({"devices": devices}) if devices else ""
    return text + _detector_lines(info, skew)


def _seconds(value: float) -> str:
    return f"{value:.4g} s"


def _detector_lines(info: DigitizerInfo, skew: SkewReport | None) -> str:
    """Delays of channels, beyond what the card tells of itself, for their [[detectors]]."""
    if skew is None or any(math.isnan(delay) for delay in skew.delays):
        return ""
    columns = [info.channels.index(name) for name in skew.channels]
    told = [info.delays[column] if info.delays else 0.0 for column in columns]
    beyond = [delay - own for delay, own in zip(skew.delays, told, strict=True)]
    late = [value - min(beyond) for value in beyond]
    if max(late) < _NOTICEABLE:
        return ""
    lines = [
        f'# [[detectors]] of channel {column} ("{name}"): delay = "{value:.4g} s"'
        for column, name, value in zip(columns, skew.channels, late, strict=True)
    ]
    return "\n".join(["", *lines]) + "\n"
