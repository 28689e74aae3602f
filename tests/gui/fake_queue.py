"""Fills queue, sweep and list of runs of a window with what may be found in them."""

from __future__ import annotations

import math
from pathlib import Path

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.acquisition.sweeps.rows import Measured, PointFit, Row
from optobind.gui.viewmodels.sweep_summary import SweepSummary

PLAN = SweepPlan(
    (Axis("distance", (2.4e-6, 2.5e-6)), Axis("phi", start=-3.0, stop=3.0, points=13)),
    MonitorPlan(0.3),
)


def rows(count: int) -> tuple[Row, ...]:
    """Points of the sweep with couplings, the fifth one left out, the sixth not fitted."""
    found = []
    for number in range(1, count + 1):
        phi = -3.0 + 0.5 * ((number - 1) % 13)
        setting = (2.4e-6 if number <= 13 else 2.5e-6, phi)
        if number == 5:
            found.append(Row(number, "point", setting, 1, "skipped", "particle 2 is lost"))
            continue
        values = {
            "g_r": Measured(math.tau * 900.0 * math.cos(phi), math.tau * 21.3, "rad/s"),
            "gap": Measured(math.tau * 2212.4, math.tau * 14.2, "rad/s"),
        }
        fit = PointFit("pair", number != 6, values)
        found.append(Row(number, "point", setting, 1, "complete", read=setting, fit=fit))
    return tuple(found)


def fill(window) -> None:
    """Entries of every kind and state, a sweep half done, runs of all sorts."""
    queue, sweep, runs = (window.panels[name] for name in ("queue", "sweep", "runs"))
    for kind in ("monitor", "reheating", "sequence", "sweep"):
        queue.add(kind)
    queue.model.entries[0].state = "incomplete"
    queue.model.entries[0].reason = "64 of 1000 releases usable; lower the gain of the detector"
    queue.editor.form.more.setChecked(True)
    queue.list.choose(4)
    sweep.summary = SweepSummary(PLAN, rows(17), Path("runs/20261130-212233-sweep"))
    runs.model.take(
        [
            {
                "path": "runs/20261130-212233-reheating/run.h5",
                "kind": "reheating",
                "state": state,
                "created": 1.8e9,
                "size": "2000000 samples",
                "note": "behind the second isolator, before the pump was switched off",
                "worth": "64 of 1000 releases usable (936 lost samples)",
                "results": ["reheating: gᵣ = 900.4 ± 21.3 Hz, gₐ = 401.4 ± 22.1 Hz"],
            }
            for state in ("complete", "failed", "incomplete")
        ]
    )
    runs.show_runs()
