"""The commands and their options; every command imports what it needs when it is called."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from .arguments import (
    BandOption,
    ChannelsOption,
    ColumnsOption,
    FileArgument,
    FilesArgument,
    JsonOption,
    KeyOption,
    NoteOption,
    NotifyOption,
    OutOption,
    PlanArgument,
    RateOption,
    RigArgument,
    RigOption,
    ServeOption,
    SetOption,
)
from .config_app import add_file_commands
from .export_app import export
from .fit_app import fit_app
from .instruments_app import instruments_app
from .plan_app import plan_app
from .runs_app import add_run_commands
from .seek_app import seek
from .status_app import status
from .theory_app import add_theory_commands
from .tune_app import tune_app

__all__ = ["app", "invoke"]

app = typer.Typer(
    name="optobind",
    help="Run optical-binding experiments with levitated nanoparticles and explain their data.",
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(fit_app, name="fit")
app.command()(export)
app.command()(seek)
app.command()(status)
app.add_typer(instruments_app, name="instruments")
app.add_typer(tune_app, name="tune")
add_file_commands(app)
app.add_typer(plan_app, name="plan")
add_run_commands(app)
add_theory_commands(app)


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
    plan: PlanArgument,
    rig: RigOption,
    out: OutOption = None,
    settings: SetOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what it would do, how long and how large; no more."),
    ] = False,
    note: NoteOption = "",
    notify: NotifyOption = "",
    serve: ServeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out a plan or a sweep on a rig and record it."""
    from .output import require_makeable

    require_makeable(out)
    from .run import RunOptions, run_plan_on_rig

    options = RunOptions(note, notify, dry_run, as_json, serve)
    code = run_plan_on_rig(plan, rig, out, settings or [], options)
    if code:
        raise typer.Exit(code)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a sweep.")],
    rig: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--rig", help="Shipped rig or a TOML file; that of the sweep by default."),
    ] = None,
    accept_light: Annotated[
        bool, typer.Option("--accept-light", help="Go on though somebody has set the light since.")
    ] = False,
    notify: NotifyOption = "",
    serve: ServeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a sweep that was interrupted, at its next point."""
    from .sweep import resume_sweep

    code = resume_sweep(folder, rig, accept_light, notify, as_json, serve)
    if code:
        raise typer.Exit(code)


@app.command()
def gui(
    run: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(metavar="[RUN]", help="Look at a recorded run, or any other record."),
    ] = None,
    rig: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--rig", help="Shipped rig or a TOML file; simulated-pair by default."),
    ] = None,
    settings: SetOption = None,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    serve: ServeOption = None,
    shot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--shot", metavar="PNG", help="Save a picture, then close.", hidden=True),
    ] = None,
) -> None:
    """Open the window: on a rig, or on a recorded RUN that is looked at offline."""
    from .options import reading_options
    from .window import open_record_window, open_window, require_one_source

    reading = reading_options(rate, key, columns)
    require_one_source(run, rig, settings or [], reading, serve)
    with _toolkit_named():
        if run is not None:
            code = open_record_window(run, reading, shot)
        else:
            code = open_window(rig or "simulated-pair", settings or [], shot, serve)
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


@app.command()
def track(
    files: FilesArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Trajectories: .h5, .hdf5 or .npz.")
    ],
    part: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--part", help="Stretches to follow: steady or releases."),
    ] = None,
    band: BandOption = None,
    channels: ChannelsOption = None,
    every: Annotated[
        int, typer.Option("--every", metavar="N", help="Keep one sample of so many.", min=1)
    ] = 1,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plot", metavar="FILE", help="Draw a stretch: .png, .svg or .pdf."),
    ] = None,
    rate: RateOption = None,
    key: KeyOption = None,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the particles: positions, momenta and amplitudes with their errors."""
    from .options import band_option, reading_options
    from .track import TrackOptions, track_files

    options = TrackOptions(part, band_option(band), channels, every)
    track_files(files, reading_options(rate, key, columns), options, out, plot, as_json)


def invoke(arguments: Sequence[str]) -> int:
    """Parse the arguments and carry out the command.

    Raises
    ------
    InputError
        For wrong usage, among everything that a command raises.
    """
    from ..models.errors import InputError
    from .options import with_default, with_pairs
    from .serving import LOOPBACK, is_address

    # The base of the parser's errors, wherever this version of typer keeps it.
    parser_error: Any = typer.BadParameter.__mro__[2]
    command = typer.main.get_command(app)
    given = with_default(with_pairs(arguments, "--exclude"), "--serve", LOOPBACK, is_address)
    try:
        result = command.main(
            args=given or ["--help"],
            prog_name="optobind",
            standalone_mode=False,
        )
    except parser_error as error:
        raise InputError(_usage_text(error, _path_of(command, given))) from None
    except typer.Abort:
        return 130
    return result if isinstance(result, int) else 0


def _path_of(command: Any, arguments: Sequence[str]) -> str:
    """The command that was called, as it is written."""
    path = ["optobind"]
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        path.append(word)
    return " ".join(path)


def _usage_text(error: Any, path: str) -> str:
    """Describe wrong usage in a line that names where help is."""
    if getattr(error, "ctx", None) is not None:
        path = error.ctx.command_path
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    return f"{message[:1].lower()}{message[1:]}; see {path} --help"
