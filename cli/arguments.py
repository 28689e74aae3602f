"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

__all__ = [
    "BandOption",
    "BlockOption",
    "ChannelsOption",
    "ColumnsOption",
    "CommonNoiseOption",
    "DelayOption",
    "ExcludeOption",
    "FileArgument",
    "FilesArgument",
    "IntervalsOption",
    "JsonOption",
    "KeyOption",
    "MixingOption",
    "ModelOption",
    "NoteOption",
    "NotifyOption",
    "OutOption",
    "PhaseOption",
    "PlanArgument",
    "PowerOption",
    "RateOption",
    "ReheatingEstimatorOption",
    "ReleaseIndexOption",
    "RigArgument",
    "RigOption",
    "SegmentOption",
    "ServeOption",
    "SetOption",
    "SpectrumEstimatorOption",
]


def _rigs() -> list[str]:
    """Names that a shell proposes for a rig."""
    from ..config.load import shipped

    return list(shipped("rigs"))


def _plans() -> list[str]:
    """Names that a shell proposes for a plan."""
    from ..config.load import shipped

    return list(shipped("plans"))


RigOption = Annotated[
    str, typer.Option("--rig", help="Shipped rig or a TOML file.", autocompletion=_rigs)
]
PlanArgument = Annotated[
    str,
    typer.Argument(
        metavar="PLAN", help="Shipped plan, a TOML file, or a program (.py).", autocompletion=_plans
    ),
]
SetOption = Annotated[
    Optional[list[str]],  # noqa: UP045 - the parser needs the spelled-out form
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change one value; plan.… addresses the plan. Repeats."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OutOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", metavar="DIR", help="Directory for the results."),
]
NoteOption = Annotated[
    str, typer.Option("--note", metavar="TEXT", help="Kept in the run file, for whoever reads it.")
]
NotifyOption = Annotated[
    str,
    typer.Option(
        "--notify",
        metavar="URL|COMMAND",
        envvar="OPTOBIND_NOTIFY",
        help="Told of waits and of the end: an address (JSON by POST) or a command.",
    ),
]
ServeOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--serve",
        metavar="[HOST:PORT]",
        help="Let notebooks watch and steer (ob.connect); on this computer alone by default.",
    ),
]
_FORMATS = "Run file, scope's CSV, LeCroy .trc, NPZ, NPY, MATLAB, HDF5, WAV or TDMS"
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help=f"{_FORMATS}.")]
FilesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help=f"{_FORMATS}; several: one channel each, or runs."),
]
BandOption = Annotated[
    Optional[tuple[str, str]],  # noqa: UP045
    typer.Option("--band", metavar="LO HI", help='Frequencies to fit: Hz, or "30 kHz".'),
]
ChannelsOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--channels", metavar="0,1", help="Channels to fit, numbers or names, particle 1 first."
    ),
]
KeyOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--key", metavar="PATH", help="Array within an NPZ, MATLAB, HDF5 or TDMS file: detector/A."
    ),
]
ColumnsOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--columns", metavar="1,2", help="Columns of samples, numbers or names; t=0 is time."
    ),
]
RigArgument = Annotated[
    str, typer.Argument(metavar="RIG", help="Shipped rig or a TOML file.", autocompletion=_rigs)
]
IntervalsOption = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option(
        "--intervals/--no-intervals",
        help="Intervals by profile likelihoods; by default of the numbers that count.",
    ),
]
RateOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--rate", metavar="RATE", help='Sample rate where a file states none: Hz, or "2 MHz".'
    ),
]
ModelOption = Annotated[
    Optional[Literal["single", "pair"]],  # noqa: UP045
    typer.Option("--model", help="Default: pair if two channels are chosen, else single."),
]
SegmentOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--segment", metavar="N", help="Samples per segment."),
]
ExcludeOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--exclude", metavar="LO HI", help="Frequencies to leave out, such as a tone. Repeats."
    ),
]
DelayOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--delay", metavar="TIME", help='Channel 2 after channel 1: s, or "1 us".'),
]
MixingOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--mixing", metavar="E[,E]", help="Known cross-talk: 5 %, or T12,T21."),
]
GammaPriorOption = Annotated[
    Literal["auto", "off"],
    typer.Option(
        "--gamma-prior", help="auto: damping by the gas from the run's pressure; off: free."
    ),
]
SpectrumEstimatorOption = Annotated[
    Optional[Literal["wishart", "exact"]],  # noqa: UP045
    typer.Option(
        "--estimator", help="wishart: averaged spectra; exact: also for lines under 1.5 bins."
    ),
]
ReheatingEstimatorOption = Annotated[
    Literal["exact", "transitions", "curves"],
    typer.Option("--estimator", help="Whose numbers count."),
]
ReleaseIndexOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--release-index", metavar="N", help="Sample of the release in each row."),
]
PhaseOption = Annotated[
    Optional[Literal["as-set", "reversed"]],  # noqa: UP045
    typer.Option("--phase", help="Releases of a reversed phase."),
]
PowerOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--power", metavar="SHARE", help="Releases at one power; 1 is as it was set."),
]
CommonNoiseOption = Annotated[
    bool, typer.Option("--common-noise", help="Fit the detectors' common noise, too (exact).")
]
BlockOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--block", metavar="N", help="Constants of their own for every N releases."),
]
