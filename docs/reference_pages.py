"""Pages of the reference that follow from the code: API, command line, rig and plan files."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import optobind
from optobind.acquisition.plan_keys import keys_of
from optobind.acquisition.plans import STEPS
from optobind.cli.app import app
from optobind.config.new_plan import new_plan, range_text
from optobind.config.new_rig import RigChoices, new_rig
from optobind.config.schema import (
    DetectorConfig,
    GasConfig,
    ParticleConfig,
    RigConfig,
    TweezerConfig,
)
from optobind.config.tables import FAMILIES, NAMED_FAMILIES, drivers_of, key_rows

__all__ = ["write_reference"]


def write_reference(folder: Path) -> None:
    """Write all pages, each only where it changed."""
    pages = {
        "api.rst": _api("optobind", optobind, "The public names"),
        "theory.rst": _api("optobind.theory", optobind.theory, "optobind.theory"),
        "command-line.md": "\n".join(_command_line()),
        "rig-files.md": "\n".join(_rig_files()),
        "plan-files.md": "\n".join(_plan_files()),
    }
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# -- public names ----------------------------------------------------------------------------------


def _groups(module: Any) -> Iterator[tuple[str, list[str]]]:
    """Names of a stub by the comments above them."""
    stub = Path(module.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    lines, title, names = stub.splitlines(), "Names", list[str]()
    for line in lines:
        if line.startswith("# ") and not line.startswith("# ruff"):
            if names:
                yield title, names
            title, names = line[2:].capitalize(), []
        names += [text.split()[0] for text in line.replace(",", " ").split(" as ")[1:]]
    if names:
        yield title, names


def _api(prefix: str, module: Any, title: str) -> str:
    """Directives for every public name."""
    lines = [title, "=" * len(title), "", f"All are reached as ``{prefix}.NAME``.", ""]
    for head, listed in _groups(module):
        names = [name for name in listed if not inspect.ismodule(getattr(module, name))]
        if not names:
            continue
        lines += [head, "-" * len(head), ""]
        for name in names:
            found = getattr(module, name)
            if inspect.isclass(found):
                lines += [f".. autoclass:: {prefix}.{name}", "   :members:", ""]
            elif callable(found):
                lines += [f".. autofunction:: {prefix}.{name}", ""]
            else:
                lines += [f".. autodata:: {prefix}.{name}", ""]
    return "\n".join(lines)


# -- the command line ------------------------------------------------------------------------------


def _command_line() -> Iterator[str]:
    yield "# The command line\n"
    yield (
        "`optobind COMMAND -h` says the same. Errors are one line on stderr; exit codes: 0 done, "
        "1 our bug, 2 input, 3 fit not converged, 4 device or incomplete run, 128 and the signal's "
        "number after a signal.\n"
    )
    yield from _command(typer.main.get_command(app), "optobind")


def _command(command: Any, path: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name in sorted(command.commands):
            yield from _command(command.commands[name], f"{path} {name}")
        return
    if command.hidden:
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join(map(_metavar, arguments))
    yield f"## {path}\n\n`{f'{path} {usage}'.strip()}`\n\n{_plain(command.help)}\n"
    if options or arguments:
        yield "| argument or option | meaning |\n|---|---|"
        for given in (*arguments, *options):
            names = ", ".join(given.opts) if given in options else _metavar(given)
            yield f"| `{_cell(names)}` | {_cell(_plain(given.help))} |"
        yield ""


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# -- files -----------------------------------------------------------------------------------------


def _table(model: Any) -> Iterator[str]:
    yield "| key | holds | default |\n|---|---|---|"
    for key, holds, default in key_rows(model):
        yield f"| `{key}` | {_cell(holds)} | {f'`{_cell(default)}`' if default else ''} |"
    yield ""


def _rig_files() -> Iterator[str]:
    yield "# Rig files\n"
    yield (
        "TOML, quantities as texts with units. `optobind config new rig` writes one with comments; "
        "`optobind config check --all FILE` says every problem.\n"
    )
    yield f"```toml\n{new_rig(RigChoices())}```\n"
    for name, model in (
        ("The file itself", RigConfig),
        ("[[particles]]", ParticleConfig),
        ("[[tweezers]]", TweezerConfig),
        ("[gas]", GasConfig),
        ("[[detectors]]", DetectorConfig),
    ):
        yield f"## {name}\n\n{_prose(model)}\n"
        yield from _table(model)
    for family in (*FAMILIES, *NAMED_FAMILIES):
        name = ".NAME" if family in NAMED_FAMILIES else ""
        yield f"## [devices.{family}{name}]\n"
        for driver, model in drivers_of(family).items():
            yield f"### {family}: {driver}\n\n{_prose(model)}\n"
            yield from _table(model)


def _prose(model: Any) -> str:
    return (inspect.getdoc(model) or "").replace("``", "`")


def _plan_files() -> Iterator[str]:
    yield "# Plan files\n"
    yield (
        "`optobind config new KIND` writes one with comments; `optobind run FILE --rig RIG` "
        "carries it out.\n"
    )
    for kind, plan in STEPS.items():
        yield f"## {kind}\n\n| key | meaning | holds | default |\n|---|---|---|---|"
        for declared in keys_of(plan):
            text, holds = f"{declared.title}: {declared.text}", range_text(declared)
            row = (f"`{declared.name}`", text, holds, f"`{declared.default}`")
            yield f"| {' | '.join(map(_cell, row))} |"
        yield ""
    for kind in ("sequence", "sweep"):
        yield f"## {kind}\n\n```toml\n{new_plan(kind)}```\n"
