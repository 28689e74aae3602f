"""``optobind rigs``, ``plans`` and ``config new``: what files there are, and new ones."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ..config.load import described
from ..config.new_plan import NEW_PLANS, new_plan
from ..config.new_rig import RigChoices, new_rig
from ..config.tables import FAMILIES, drivers_of
from ..models.errors import FileError, InputError
from ..models.shown import one_line
from .output import print_json, print_result, print_text, warn, write_text

__all__ = ["list_files", "new_file"]

_QUESTIONS = {
    "particles": "how many particles",
    "radius": "radius",
    "material": "material",
    "distance": "distance of neighbours",
    "wavelength": "wavelength of the trap light",
    "power": "power of each tweezer",
    "waist": "waist of each tweezer",
    "pressure": "pressure of the gas",
}


def list_files(kind: Literal["rigs", "plans"], folder: Path | None, as_json: bool) -> None:
    """List shipped files, and those of a directory, with their descriptions.

    Raises
    ------
    FileError
        If the directory is none.
    """
    if folder is not None and not folder.is_dir():
        raise FileError(f"{folder} is not a directory")
    found, damaged = described(kind, folder)
    warn(damaged)
    if as_json:
        print_json({kind: [{"name": name, "description": text} for name, text in found]})
        return
    width = max(len(name) for name, _ in found) + 2
    lines = [f"{one_line(name):<{width}}{one_line(text)}".rstrip() for name, text in found]
    use = "--rig NAME" if kind == "rigs" else "optobind run NAME --rig RIG"
    print_text("\n".join([*lines, "", f"{use}; a file of your own goes by its path", ""]))


def new_file(
    what: str, given: Mapping[str, Any], devices: Sequence[str], out: Path | None, ask: bool
) -> None:
    """Write or print a new rig or plan.

    Raises
    ------
    InputError
        For an unknown kind, a quantity that is none, or options of a rig for a plan.
    FileError
        If the file is there already, or cannot be written.
    """
    if what not in ("rig", *NEW_PLANS):
        raise InputError(f"no file of kind {what!r}; known: {', '.join(('rig', *NEW_PLANS))}")
    if what != "rig" and (given or devices or ask):
        raise InputError(f"a plan of kind {what} takes no options of a rig; edit its keys")
    if out is not None and out.exists():
        raise FileError(f"{out} is there already; nothing was written")
    if what == "rig":
        name = "my-rig" if out is None else out.stem
        text = new_rig(_choices(name, given, devices, ask))
    else:
        text = new_plan(what)
    if out is None:
        print_text(text)
        return
    write_text(out, text)
    print_result(f"{out} written; check it: optobind config check --all {out}")


def _choices(name: str, given: Mapping[str, Any], devices: Sequence[str], ask: bool) -> RigChoices:
    """Put options and answers together."""
    drivers = dict(_device(text) for text in devices)
    answers = dict(given)
    if ask:
        if not sys.stdin.isatty():
            raise InputError("--ask needs a terminal; give the options instead")
        answers |= {k: _asked(k, text) for k, text in _QUESTIONS.items() if k not in given}
        drivers = drivers or _asked_drivers()
    return RigChoices(name=name, drivers=drivers, **answers)


def _device(text: str) -> tuple[str, str]:
    """Read ``FAMILY=DRIVER``."""
    family, sign, driver = (part.strip() for part in text.partition("="))
    if not sign or family not in FAMILIES or not driver:
        raise InputError(
            f"--device needs FAMILY=DRIVER, such as digitizer=ni, got {text[:60]!r}; "
            f"families: {', '.join(FAMILIES)}"
        )
    return family, driver


def _asked(key: str, question: str) -> Any:
    """Ask until the answer can be used; an empty one takes what is proposed."""
    import typer

    proposed = getattr(RigChoices(), key)
    while True:
        answer = typer.prompt(question, default=proposed, type=type(proposed), err=True)
        try:
            RigChoices(**{key: answer})
        except InputError as error:
            warn([str(error)])
        else:
            return answer


def _asked_drivers() -> dict[str, str]:
    """Ask for the drivers of a real laboratory, family by family."""
    import typer

    if not typer.confirm("real devices (otherwise simulated)", default=False, err=True):
        return {}
    drivers = {}
    for family in FAMILIES:
        known = [name for name in drivers_of(family) if name not in ("simulated", "replay")]
        while True:
            question = f"{family} ({', '.join(known)}; none)"
            answer = typer.prompt(question, default="none", err=True)
            if answer in (*known, "none"):
                break
            warn([f"{answer!r} is none of them"])
        if answer != "none":
            drivers[family] = answer
    return drivers
