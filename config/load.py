"""Find, read, change and validate rig and plan files."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from ..acquisition.plans import Plan
from ..acquisition.sweeps.plan import SweepPlan
from ..acquisition.sweeps.programs.source import description_of
from ..models.errors import FileError, InputError
from ..models.units import shorten
from .knobs import make_known
from .messages import SchemaError, suggest
from .overrides import apply_overrides
from .plan_schema import PLAN_TABLES, PROGRAM_TABLE, PlanTable
from .programs import program_document
from .schema import RigConfig

__all__ = [
    "LoadedPlan",
    "LoadedRig",
    "described",
    "kind_of_file",
    "read_plan",
    "read_rig",
    "rig_from_dict",
    "shipped",
    "shipped_text",
]

_M = TypeVar("_M", bound=BaseModel)
_LARGEST = 1 << 20  # a rig of a megabyte is not a rig


@dataclass(frozen=True)
class LoadedRig:
    """A validated rig.

    Attributes
    ----------
    name : str
        The file's ``name``, else the shipped name or the stem of the path.
    config : RigConfig
        In SI.
    source : dict
        The document after all changes, as JSON values with units: validating it again gives the
        same rig.
    """

    name: str
    config: RigConfig
    source: dict[str, Any]


@dataclass(frozen=True)
class LoadedPlan:
    """A validated plan with its document; see :class:`LoadedRig`."""

    name: str
    plan: Plan | SweepPlan
    source: dict[str, Any]


@cache
def shipped(kind: Literal["rigs", "plans"]) -> tuple[str, ...]:
    """Names of the rigs or plans that come with the product."""
    folder = resources.files(__package__).joinpath(kind)
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def shipped_text(kind: Literal["rigs", "plans"], name: str) -> str:
    """Return the file of a shipped rig or plan."""
    return resources.files(__package__).joinpath(kind, f"{name}.toml").read_text(encoding="utf-8")


# What tells a rig and a plan from other TOML files.
_KEYS = {"rigs": {"wavelength", "particles", "tweezers"}, "plans": {"kind", "steps"}}


def described(
    kind: Literal["rigs", "plans"], folder: Path | None = None
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return names and descriptions of shipped files, and of those in a directory.

    Parameters
    ----------
    kind : {"rigs", "plans"}
    folder : Path, optional
        Its TOML files, and programs for plans, are told by their paths.

    Returns
    -------
    found : list of tuple of str
        Name or path, and description.
    damaged : list of str
        What could not be read, a line each.
    """
    found = [(n, str(_parse(shipped_text(kind, n), n)["description"])) for n in shipped(kind)]
    damaged = []
    for path in sorted(folder.iterdir()) if folder is not None else ():
        try:
            if kind == "plans" and _is_program(str(path)):
                said = description_of(_text_of(path, "program"))
                found += [] if said is None else [(str(path), said)]
            if path.suffix.lower() != ".toml":
                continue
            document = _parse(_text_of(path, "config"), str(path))
            if _KEYS[kind] & document.keys():
                found.append((str(path), str(document.get("description", ""))))
        except InputError as error:
            damaged.append(str(error))
    return found, damaged


def _read(name_or_path: str, kind: Literal["rigs", "plans"]) -> tuple[str, str, Path | None]:
    """Return the name, the text and the folder (None for a shipped file)."""
    what = kind.removesuffix("s")
    if name_or_path in shipped(kind):
        return name_or_path, shipped_text(kind, name_or_path), None
    path = Path(name_or_path)
    looks_like_path = path.suffix.lower() == ".toml" or len(path.parts) > 1 or path.is_file()
    if not looks_like_path:
        known = ", ".join(shipped(kind))
        hint = suggest(name_or_path, shipped(kind))
        raise FileError(
            f"{what} {name_or_path!r} is neither a shipped {what}{hint} nor a file; "
            f"shipped: {known}"
        )
    return path.stem, _text_of(path, what), path.parent


def _text_of(path: Path, what: str) -> str:
    """Read a text file, with every failure told in one line."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise FileError(f"{what} file {path} is larger than {_LARGEST // 1024} KiB")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise FileError(f"{what} file {path} does not exist") from None
    except UnicodeDecodeError:
        raise FileError(f"{what} file {path} is not text in UTF-8") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{what} file {path} cannot be read: {reason}") from None


def _parse(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        raise InputError(f"{label} is not valid TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{label} is not valid TOML: nested too deeply") from None


def _validate(model: type[_M], data: dict[str, Any], label: str, what: str) -> _M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SchemaError(error, model, label, what) from None


def rig_from_dict(data: dict[str, Any], label: str = "rig") -> RigConfig:
    """Validate a rig's document, such as the one recorded in a run file.

    Raises
    ------
    InputError
        One line that names the key.
    """
    return _validate(RigConfig, data, label, "the rig")


def read_rig(name_or_path: str, overrides: Sequence[str] = ()) -> LoadedRig:
    """Read a rig's file and check it; :func:`~.build.build_rig` makes its devices.

    The knobs of its ``[devices.knobs]`` are known to plans from now on.

    Parameters
    ----------
    name_or_path : str
        A shipped name or the path of a TOML file.
    overrides : sequence of str
        ``path=value`` each, applied in turn.

    Raises
    ------
    FileError
        If there is no such file or it cannot be read.
    InputError
        For invalid TOML, an unknown key or unit, or a value out of range.
    """
    name, text, folder = _read(name_or_path, "rigs")
    label = f"rig {name_or_path}"
    document = _parse(text, label)
    _anchor_paths(document, folder)
    document = apply_overrides(document, overrides, RigConfig)
    config = rig_from_dict(document, label)
    make_known(config, label)
    return LoadedRig(config.name or name, config, document)


# Keys of device tables that name files.
_PATHS = {"digitizer": ("path",), "slm": ("beam", "lut", "wavefront")}


def _anchor_paths(document: dict[str, Any], folder: Path | None) -> None:
    """Take the files that devices name relative to the rig file."""
    devices = document.get("devices")
    if folder is None or not isinstance(devices, dict):
        return
    for family, keys in _PATHS.items():
        table = devices.get(family)
        if not isinstance(table, dict):
            continue
        for key in keys:
            path = table.get(key)
            if isinstance(path, str) and path:
                table[key] = str(folder / path)


def read_plan(name_or_path: str, overrides: Sequence[str] = ()) -> LoadedPlan:
    """Read a plan's file and check it; parameters and errors as for :func:`read_rig`.

    A file with the suffix ``.py`` is a program (:mod:`optobind.steps`).
    """
    label = f"plan {name_or_path}"
    if _is_program(name_or_path):
        path = Path(name_or_path)
        document = program_document(path.name, _text_of(path, "program"), overrides)
        return _loaded_plan(path.stem, PROGRAM_TABLE, document, label)
    name, text, _ = _read(name_or_path, "plans")
    document = _parse(text, label)
    # The kind decides the schema, so a change of the kind goes first.
    kinds = [text for text in overrides if text.partition("=")[0].strip() == "kind"]
    for setting in kinds:
        document["kind"] = setting.partition("=")[2].strip().strip("\"'")
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in PLAN_TABLES:
        known = ", ".join(PLAN_TABLES)
        given = "lacks kind" if kind is None else f"has the unknown kind {shorten(kind)}"
        raise InputError(f"{label} {given}; known: {known}")
    model = PLAN_TABLES[kind]
    others = [text for text in overrides if text not in kinds]
    document = apply_overrides(document, others, model)
    return _loaded_plan(name, model, document, label)


def _is_program(path: str) -> bool:
    return Path(path).suffix.lower() == ".py"


def _loaded_plan(
    name: str, model: type[PlanTable], document: dict[str, Any], label: str
) -> LoadedPlan:
    """Validate a plan's document."""
    table = _validate(model, document, label, "the plan")
    try:
        return LoadedPlan(name, table.to_plan(), document)
    except InputError as error:
        raise InputError(f"{label}: {error}") from None


def kind_of_file(path: str) -> Literal["rig", "plan"]:
    """Tell whether a TOML file, a program or a shipped name is meant as a rig or a plan.

    Raises
    ------
    InputError
        If it is empty, not TOML or cannot be read.
    """
    if _is_program(path):
        return "plan"
    for kind in ("rigs", "plans"):
        if path in shipped(kind):
            return "rig" if kind == "rigs" else "plan"
    document = _parse(_text_of(Path(path), "config"), f"config {path}")
    if _KEYS["plans"] & document.keys():
        return "plan"
    if not document:
        raise InputError(f"config {path} is empty: a rig needs wavelength, particles and tweezers")
    return "rig"
