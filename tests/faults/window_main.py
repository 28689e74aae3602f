"""A window with a run under way, as a program of its own: RIG and OUT are its arguments."""

from __future__ import annotations

import sys
from pathlib import Path

from optobind.acquisition.plans import ReheatingPlan
from optobind.acquisition.session import Session
from optobind.cli.signals import collected_endings
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.gui.app import run_window


def main(rig: str, out: str) -> int:
    plan = ReheatingPlan(repetitions=100_000, cool_time=0.05, release_time=0.1)
    with collected_endings() as endings:
        session = Session(build_rig(read_rig(rig)))

        def begin() -> None:
            session.connect()
            session.start(plan, Path(out) / "run.h5")

        try:
            code = run_window(session, begin=begin, urgency=lambda: endings.urgency)
        finally:
            session.close()
    return endings.exit_code or code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
