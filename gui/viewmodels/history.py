"""What was commanded, as Python that does it again."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["History"]

_MOST = 10_000
_NAME = re.compile(r"(?<![.\w'\"])([A-Z]\w+)\(")  # classes that a line makes


class History:
    """Lines of Python of the commands that were sent, with the times between them.

    Parameters
    ----------
    clock : callable
        Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.lines: deque[tuple[float, str]] = deque(maxlen=_MOST)

    def take(self, line: str) -> None:
        """Remember a command that was sent."""
        self.lines.append((self._clock(), line))

    def script(self, rig: str) -> str:
        """Return a script that sends the same commands at the same distances in time.

        Parameters
        ----------
        rig : str
            Name or path of the rig.
        """
        begun = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d %H:%M UTC")
        commands = [(at, line) for at, line in self.lines if line.startswith("session.")]
        names = sorted({name for _, line in commands for name in _NAME.findall(line)})
        body, before = list[str](), commands[0][0] if commands else 0.0
        for at, line in commands:
            if at - before >= 0.05:
                body.append(f"time.sleep({at - before:.2f})")
            body.append(_statement(line))
            before = at
        return "\n".join(
            [
                f'"""Commands of a window of optobind, saved {begun}."""',
                "",
                "import time",
                "",
                "import optobind as ob",
                *([f"from optobind import {', '.join(names)}"] if names else []),
                "",
                "",
                "def done(answer):",
                "    return answer.result() if hasattr(answer, 'result') else answer",
                "",
                "",
                f"session, runs = ob.Session(ob.load_rig({rig!r})), []",
                "try:",
                *(f"    {line}" for line in body),
                "    for run in runs:",
                "        print(run.result())",
                "finally:",
                "    session.close()",
                "",
            ]
        )


def _statement(line: str) -> str:
    """The command as a statement; trap light is never switched off by a replay."""
    if line.startswith("session.release_particles("):
        return f"# {line}"
    started = line.startswith("session.start(")
    return f"runs.append({line})" if started else f"done({line})"
