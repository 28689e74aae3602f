"""``optobind tune``: settings found by measuring."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from .arguments import BandOption, JsonOption, OutOption, RigOption, SetOption

__all__ = ["tune_app"]

tune_app = typer.Typer(
    help="Find settings of a rig by measuring.", no_args_is_help=False, rich_markup_mode="rich"
)


@tune_app.callback()
def _root() -> None:
    """Find settings of a rig by measuring."""


@tune_app.command()
def feedback(
    rig: RigOption,
    particle: Annotated[
        Optional[list[int]],  # noqa: UP045
        typer.Option("--particle", metavar="N", help="Only this one, from 1. Repeats.", min=1),
    ] = None,
    settings: SetOption = None,
    seconds: Annotated[
        str, typer.Option("--seconds", metavar="TIME", help="Record of each setting: s.")
    ] = "0.2 s",
    probe_seconds: Annotated[
        str,
        typer.Option("--probe-seconds", metavar="TIME", help="Longest time that may heat: s."),
    ] = "30 ms",
    probe_gain: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--probe-gain",
            metavar="GAIN",
            help='First gain: Γ/2π as "20 Hz", or V/V; a third of what is set by default.',
        ),
    ] = None,
    max_gain: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--max-gain", metavar="GAIN", help="None above is tried."),
    ] = None,
    band: BandOption = None,
    apply: Annotated[
        bool, typer.Option("--apply/--no-apply", help="Leave the best setting, or the first.")
    ] = True,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Tune real devices though a particle may be lost."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do; no more.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find gain and phase of lowest occupation of the feedback loops, from out-of-loop spectra."""
    from .output import require_makeable

    require_makeable(out)
    from .options import band_option, sure
    from .tune import TuneOptions, tune_feedback

    options = TuneOptions(
        tuple(number - 1 for number in particle or ()),
        sure("--seconds", seconds, "s"),
        sure("--probe-seconds", probe_seconds, "s"),
        probe_gain,
        max_gain,
        band_option(band),
        apply,
        dry_run,
        accept_loss,
    )
    code = tune_feedback(rig, settings or [], options, out, as_json)
    if code:
        raise typer.Exit(code)
