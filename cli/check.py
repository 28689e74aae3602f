"""``optobind config check``: validate a rig or plan file and say what it describes."""

from __future__ import annotations

import math

from ..config.build import build_rig, build_trap
from ..config.knobs import named_tables
from ..config.live import real_devices
from ..config.load import LoadedRig, kind_of_file, read_plan, read_rig
from ..config.messages import SchemaError
from ..models.errors import InputError
from ..models.prefixes import engineering
from .output import print_result, warn

__all__ = ["check_file"]


def check_file(path: str, every: bool = False) -> None:
    """Validate a file; a rig's particles must be trapped.

    Parameters
    ----------
    path : str
        File or shipped name.
    every : bool
        Say every problem that can be seen, a line each.

    Raises
    ------
    InputError
        For what the schema refuses, and for a rig without an equilibrium.
    """
    try:
        _check(path)
    except SchemaError as error:
        if not every or len(error.problems) == 1:
            raise
        lines = (f"{path}: {problem}" for problem in error.problems[:-1])
        warn(lines, "problem")
        raise InputError(f"{path}: {error.problems[-1]}") from None


def _check(path: str) -> None:
    """Validate a file and say what it describes."""
    if kind_of_file(path) == "plan":
        plan = read_plan(path).plan
        print_result(f"{path}: plan of kind {plan.kind}, valid")
        return
    loaded = read_rig(path)
    config, trap = loaded.config, build_trap(loaded.config)
    places = trap.equilibrium()
    warn(trap.doubts())
    lines = [f"{path}: rig {loaded.name}, valid"]
    for number, (omega, place) in enumerate(
        zip(trap.axial_omegas(places), places, strict=True), start=1
    ):
        position = ", ".join(engineering(float(value), "m") for value in place)
        frequency = engineering(float(omega) / math.tau, "Hz")
        lines.append(f"particle {number}: trapped at ({position}), axial frequency {frequency}")
    lines += _hardware(loaded)
    if config.devices is None or config.devices.digitizer is None or not config.detectors:
        lines.append("it can predict couplings but not run: no digitizer or no detectors")
    print_result("\n".join(lines))


def _hardware(loaded: LoadedRig) -> list[str]:
    """Say which drivers a real rig needs and whether they are here; nothing is connected."""
    from ..instruments.availability import availability
    from ..instruments.catalogue import DriverSpec, find_driver

    lines = []
    real: list[tuple[str, DriverSpec]] = [
        (family, find_driver(family, table.driver))
        for family, table in real_devices(loaded.config).items()
    ]
    real += [
        (f"{kind} {name}", find_driver(kind, table.driver))
        for kind, name, table in named_tables(loaded.config)
        if table.driver != "simulated"
    ]
    for family, spec in real:
        found = availability(spec)
        needs = f" needs optobind[{spec.extra}]" if spec.extra else ""
        state = "installed" if found.usable else f"NOT usable: {found.remedy}"
        lines.append(f"{family}: driver {spec.name} ({spec.summary}){needs}: {state}")
    if lines:
        build_rig(loaded)
    return lines
