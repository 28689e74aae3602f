"""``optobind plan``: forecasts of measurements, before they are made."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from .arguments import JsonOption, OutOption, RateOption, RigOption, SetOption

__all__ = ["plan_app"]

plan_app = typer.Typer(help="Forecast a measurement with a rig.", no_args_is_help=False)


@plan_app.callback()
def _plan() -> None:
    """Forecast a measurement with a rig."""


ParameterOption = Annotated[
    str, typer.Option("--parameter", help="What is to be measured, such as re_D12 or g_a.")
]
SignificanceOption = Annotated[
    float, typer.Option("--significance", help="Wanted value over standard error.")
]
EfficiencyOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--efficiency", metavar="ETA", help="Of detection, if the rig states none."),
]
SearchOption = Annotated[
    bool, typer.Option("--search/--no-search", help="Look for the light of the least time.")
]


@plan_app.command("reheating")
def plan_reheating(
    rig: RigOption,
    settings: SetOption = None,
    parameter: ParameterOption = "re_D12",
    significance: SignificanceOption = 5.0,
    release_time: Annotated[
        str, typer.Option("--release-time", metavar="TIME", help="Feedback off in a repetition.")
    ] = "1 ms",
    cool_time: Annotated[
        str, typer.Option("--cool-time", metavar="TIME", help="Feedback on in a repetition.")
    ] = "1 ms",
    efficiency: EfficiencyOption = None,
    rate: RateOption = None,
    search: SearchOption = True,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Repetitions and times for a wanted significance: releases or a cooled spectrum."""
    from .output import require_makeable

    require_makeable(out)
    from .options import quantity_option, sure
    from .plan import PlanOptions
    from .plan import plan_reheating as carry_out

    options = PlanOptions(
        parameter,
        significance,
        sure("--release-time", release_time, "s"),
        sure("--cool-time", cool_time, "s"),
        efficiency,
        quantity_option("--rate", rate, "Hz"),
        search,
    )
    carry_out(rig, settings or [], options, out, as_json)


@plan_app.command("spectrum")
def plan_spectrum(
    rig: RigOption,
    settings: SetOption = None,
    parameter: ParameterOption = "re_D12",
    significance: SignificanceOption = 5.0,
    efficiency: EfficiencyOption = None,
    rate: RateOption = None,
    search: SearchOption = True,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measuring time for a wanted significance: spectra with feedback on."""
    from .output import require_makeable

    require_makeable(out)
    from .options import quantity_option
    from .plan import PlanOptions
    from .plan import plan_spectrum as carry_out

    options = PlanOptions(
        parameter,
        significance,
        efficiency=efficiency,
        sample_rate=quantity_option("--rate", rate, "Hz"),
        search=search,
    )
    carry_out(rig, settings or [], options, out, as_json)
