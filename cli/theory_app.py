"""Commands that predict: couplings, phase diagrams, what an experiment would see."""

from __future__ import annotations

from typing import Annotated, Literal, Optional

import typer

from .arguments import JsonOption, OutOption, RigOption, SetOption

__all__ = ["add_theory_commands"]


def couplings(
    rig: RigOption,
    settings: SetOption = None,
    at: Annotated[
        Literal["equilibrium", "focus"], typer.Option("--at", help="Where to evaluate.")
    ] = "equilibrium",
    as_json: JsonOption = False,
) -> None:
    """Predict the couplings of a pair from first principles and in the far field."""
    from .couplings import show_couplings

    show_couplings(rig, settings or [], at, as_json)


def phases(
    rig: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--rig", help="Shipped rig or a TOML file; ideal constants without."),
    ] = None,
    settings: SetOption = None,
    out: OutOption = None,
    at: Annotated[
        Literal["equilibrium", "focus"], typer.Option("--at", help="Where to evaluate.")
    ] = "equilibrium",
    grid: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--grid", metavar="N", help="Points a side."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the phase diagrams of the Letter's Fig. 3, ideal or of a rig."""
    from .output import require_makeable

    require_makeable(out)
    from .phases import show_phases

    show_phases(rig, settings or [], out, at, grid, as_json)


def predict(
    rig: RigOption,
    settings: SetOption = None,
    at: Annotated[
        Literal["equilibrium", "focus"], typer.Option("--at", help="Where to evaluate.")
    ] = "equilibrium",
    efficiency: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--efficiency", metavar="ETA", help="Detection efficiency, 1e-6 … 1."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict what an experiment would see: occupations, heating, thresholds."""
    from .predict import show_prediction

    show_prediction(rig, settings or [], at, efficiency, as_json)


def add_theory_commands(app: typer.Typer) -> None:
    """Add the commands to those of the program."""
    for command in (couplings, phases, predict):
        app.command()(command)
