"""The commands and their options; every command imports what it needs when it is called."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import typer

__all__ = ["app", "invoke"]

app = typer.Typer(
    name="optobind",
    help="Run optical-binding experiments with levitated nanoparticles and explain their data.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
fit_app = typer.Typer(help="Fit recorded data.", no_args_is_help=False)
config_app = typer.Typer(help="Work on rig and plan files.", no_args_is_help=False)
instruments_app = typer.Typer(help="Look at drivers and devices.", no_args_is_help=False)
app.add_typer(fit_app, name="fit")
app.add_typer(instruments_app, name="instruments")
app.add_typer(config_app, name="config")

RigOption = Annotated[str, typer.Option("--rig", help="Shipped rig or a TOML file.")]
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
RigArgument = Annotated[str, typer.Argument(metavar="RIG", help="Shipped rig or a TOML file.")]
RateOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--rate", metavar="RATE", help='Sample rate where a file states none: Hz, or "2 MHz".'
    ),
]


def _version(show: bool) -> None:
    if show:
        from .. import __version__

        typer.echo(f"optobind {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run optical-binding experiments with levitated nanoparticles and explain their data."""


@app.command()
def demo(
    out: OutOption = None,
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--seed", metavar="N", help="Seed; that of the rig by default.", min=0),
    ] = None,
) -> None:
    """Measure, record, fit and report a simulated pair, within minutes."""
    from .output import require_makeable

    require_makeable(out)
    from .demo import run_demo

    run_demo(out, seed)


@app.command()
def run(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Shipped plan or a TOML file.")],
    rig: RigOption,
    out: OutOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out a plan on a rig and record it."""
    from .output import require_makeable

    require_makeable(out)
    from .run import run_plan_on_rig

    code = run_plan_on_rig(plan, rig, out, settings or [], as_json)
    if code:
        raise typer.Exit(code)


@app.command()
def gui(
    rig: RigOption = "simulated-pair",
    settings: SetOption = None,
    shot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--shot", metavar="PNG", help="Save a picture, then close.", hidden=True),
    ] = None,
) -> None:
    """Open the window."""
    from .window import open_window

    with _toolkit_named():
        code = open_window(rig, settings or [], shot)
    if code:
        raise typer.Exit(code)


@contextlib.contextmanager
def _toolkit_named() -> Iterator[None]:
    """Name the remedy where the toolkit is missing, or is there and cannot be loaded."""
    from ..models.errors import InputError

    try:
        importlib.import_module("PyQt6")  # the bare package: Qt itself is loaded by gui
        yield
    except ImportError as error:
        if not any(word in str(error) for word in ("Qt", "qt", ".so", "DLL")):
            raise
        raise InputError(
            f"the window needs PyQt6 and pyqtgraph ({error}); install with: "
            "pip install 'optobind[gui]'"
        ) from None


@app.command()
def info(
    file: FileArgument,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all of a run file and check its checksums.")
    ] = False,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a recorded file holds."""
    from .files import show_info
    from .options import reading_options

    show_info(file, reading_options(rate, key, columns), as_json, verify)


@app.command()
def recover(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An interrupted or damaged run file.")
    ],
) -> None:
    """Copy an interrupted or damaged run to a clean file beside it."""
    from .files import recover_file

    recover_file(file)


@app.command()
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


@app.command()
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


@app.command()
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


@config_app.command("check")
def config_check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A rig or plan file.")],
) -> None:
    """Validate a rig or plan file."""
    from .check import check_file

    check_file(file)


@instruments_app.command("list")
def instruments_list(as_json: JsonOption = False) -> None:
    """List the drivers, those of plugins included."""
    from .instruments import list_drivers

    list_drivers(as_json)


@instruments_app.command("check")
def instruments_check(
    rig: RigArgument, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Check drivers and options of a rig without connecting."""
    from .instruments import check_rig

    code = check_rig(rig, settings or [], as_json)
    if code:
        raise typer.Exit(code)


@instruments_app.command("identify")
def instruments_identify(
    rig: RigArgument, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Connect to each device of a rig, read it and disconnect; nothing is written."""
    from .instruments import identify_rig

    code = identify_rig(rig, settings or [], as_json)
    if code:
        raise typer.Exit(code)


@app.command("virtual-lab")
def virtual_lab(
    rig: RigArgument,
    settings: SetOption = None,
    real_time: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--real-time/--fast", help="Clock; that of the rig by default."),
    ] = None,
    rf: Annotated[str, typer.Option("--rf", metavar="DIALECT", help="RF source.")] = "keysight",
    gauge: Annotated[
        str, typer.Option("--gauge", metavar="DIALECT", help="Gauge controller.")
    ] = "pfeiffer-tpg",
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="Write the rig file to connect with."),
    ] = None,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--duration", metavar="TIME", help='End after so long: s, or "10 min".'),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    serial: Annotated[
        bool, typer.Option("--serial", help="Serial lines as pseudo terminals, not on Windows.")
    ] = False,
) -> None:
    """Serve a simulated rig as instruments that the real drivers talk to."""
    from .options import quantity_option
    from .virtual_lab import LabOptions, serve_rig

    seconds = quantity_option("--duration", duration, "s")
    serve_rig(rig, settings or [], LabOptions(real_time, rf, gauge, out, seconds, host, serial))


@app.command()
def calibrate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="Thermal records, feedback off or none.")
    ],
    rig: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--rig", help="Rig with particles and gas; else the one in the run file."),
    ] = None,
    settings: SetOption = None,
    pressure: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--pressure", metavar="P", help='"1 mbar" of all files, or one for each.'),
    ] = None,
    gauge_error: Annotated[
        str, typer.Option("--gauge-error", help="Standard error common to all pressures.")
    ] = "10 %",
    temperature_error: Annotated[
        str, typer.Option("--temperature-error", help="Standard error of the gas's temperature.")
    ] = "1 K",
    density_error: Annotated[
        str, typer.Option("--density-error", help="Standard error of the particles' density.")
    ] = "0 kg/m^3",
    channels: ChannelsOption = None,
    band: BandOption = None,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    uncoupled: Annotated[
        bool, typer.Option("--uncoupled", help="The particles are far apart: tell cross-talk.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate radius, mass and volts per metre by thermal spectra at known pressure."""
    from .output import require_makeable

    require_makeable(out)
    from .calibrate import CalibrateOptions, calibrate_files
    from .options import band_option, reading_options, share_option, sure

    options = CalibrateOptions(
        tuple(sure("--pressure", text, "Pa") for text in pressure or ()),
        share_option("--gauge-error", gauge_error),
        sure("--temperature-error", temperature_error, "K"),
        sure("--density-error", density_error, "kg/m^3"),
        channels,
        band_option(band),
        reading_options(rate, key, columns),
        uncoupled,
    )
    calibrate_files(files, rig, settings or [], options, out, as_json)


@fit_app.command("spectrum")
def fit_spectrum(
    files: FilesArgument,
    model: Annotated[
        Optional[Literal["single", "pair"]],  # noqa: UP045
        typer.Option("--model", help="Default: pair if two channels are chosen, else single."),
    ] = None,
    band: BandOption = None,
    channels: ChannelsOption = None,
    segment: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--segment", metavar="N", help="Samples per segment."),
    ] = None,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit averaged spectra: one particle or a coupled pair."""
    from .output import require_makeable

    require_makeable(out)
    from .fit import SpectrumOptions, fit_spectrum_file
    from .options import band_option, reading_options

    options = SpectrumOptions(model, band_option(band), channels, segment)
    fit_spectrum_file(files, reading_options(rate, key, columns), options, out, as_json)


@fit_app.command("reheating")
def fit_reheating(
    files: FilesArgument,
    band: BandOption = None,
    release_index: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--release-index", metavar="N", help="Sample of the release in each row."),
    ] = None,
    phase: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--phase", help="Releases of a reversed phase: as-set or reversed."),
    ] = None,
    channels: ChannelsOption = None,
    estimator: Annotated[
        Literal["exact", "transitions", "curves"],
        typer.Option("--estimator", help="Whose numbers count; all are shown."),
    ] = "exact",
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    gate: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--gate", metavar="CHANNEL", help="Channel of the feedback gate: low is off."),
    ] = None,
    trigger: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--trigger", metavar="CHANNEL", help="Channel whose rising edges release."),
    ] = None,
    inverted: Annotated[
        bool, typer.Option("--inverted", help="Gate: high is off; trigger: falling edges.")
    ] = False,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--duration", metavar="TIME", help='Length of a release: s, or "2 ms".'),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit what happens after the releases of a pair."""
    from .output import require_makeable

    require_makeable(out)
    from .fit import ReheatingOptions, fit_reheating_file
    from .options import band_option, quantity_option, reading_options

    options = ReheatingOptions(
        band_option(band),
        release_index,
        channels,
        gate,
        trigger,
        inverted,
        quantity_option("--duration", duration, "s"),
        phase,
        estimator,
    )
    fit_reheating_file(files, reading_options(rate, key, columns), options, out, as_json)


def invoke(arguments: Sequence[str]) -> int:
    """Parse the arguments and carry out the command.

    Raises
    ------
    InputError
        For wrong usage, among everything that a command raises.
    """
    from ..models.errors import InputError

    # The base of the parser's errors, wherever this version of typer keeps it.
    parser_error: Any = typer.BadParameter.__mro__[2]
    command = typer.main.get_command(app)
    try:
        result = command.main(args=list(arguments), prog_name="optobind", standalone_mode=False)
    except parser_error as error:
        raise InputError(_usage_text(error)) from None
    except typer.Abort:
        return 130
    return result if isinstance(result, int) else 0


def _usage_text(error: Any) -> str:
    """Describe wrong usage in a line that names where help is."""
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "optobind"
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    return f"{message[:1].lower()}{message[1:]}; see {path} --help"
