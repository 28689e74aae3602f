"""Random rigs, plans and ``--set``: one line that says what is wrong, or values that make sense."""

from __future__ import annotations

import importlib.util
import json
import math
import random
import tomllib
import warnings
from importlib import resources
from pathlib import Path

import pytest

from optobind.acquisition.plans import plan_from_dict, plan_to_dict
from optobind.config.build import build_rig, build_trap
from optobind.config.load import read_plan, read_rig, shipped
from optobind.config.overrides import split_overrides

_spec = importlib.util.spec_from_file_location(
    "fuzz", Path(__file__).parents[1] / "acquisition" / "fuzz.py"
)
_fuzz = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fuzz)
damaged, fuzz = _fuzz.damaged, _fuzz.fuzz

VALUES = (
    *("nan", "inf", "-inf", "1e999", "-1", "0", "1e-300", "1e300", "true", "[]", "{}", '""'),
    *('"nan nm"', '"-5 nm"', '"1e400 W"', '"5 parsec"', '"5"', '"0x10 Hz"', '"1,5 mW"', '"∞ s"'),
    *("9" * 30, '"' + "9" * 400 + ' m"', "[nan, nan]", "[1, 2, 3, 4, 5]", '"\\u202e"', "[[[]]]"),
    *(
        '"1 MHz"',
        '"300 K"',
        '"auto"',
        "5",
        "2.5",
        '"10 ms"',
        "1979-05-27",
        '"\\u001b[2J"',
        "'''x'''",
    ),
)


def text_of(kind, name):
    return resources.files("optobind.config").joinpath(kind, f"{name}.toml").read_text("utf-8")


def texts(kind):
    return [text_of(kind, name) for name in shipped(kind)]


def paths_of(document, prefix=""):
    """Dotted paths of everything in a document."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in entries:
        path = f"{prefix}.{key}" if prefix else str(key)
        yield path
        if isinstance(value, dict | list):
            yield from paths_of(value, path)


def changed_text(text, rnd):
    """The text of a file with other values, lines left out or doubled, or damaged bytes."""
    if rnd.random() < 0.3:
        return damaged(text.encode(), rnd)
    lines = text.splitlines()
    for _ in range(rnd.choice((1, 1, 2, 4))):
        at = rnd.randrange(len(lines))
        key, equals, _old = lines[at].partition("=")
        if equals and rnd.random() < 0.8:
            lines[at] = f"{key}= {rnd.choice(VALUES)}"
        elif rnd.random() < 0.5:
            del lines[at]
        else:
            lines.insert(rnd.randrange(len(lines) + 1), lines[at])
        lines = lines or [""]
    return "\n".join(lines).encode()


def assert_finite(value, path=""):
    """Nothing in what was accepted is infinite or no number."""
    if isinstance(value, float):  # a slew without end is the word for no limit
        assert math.isfinite(value) or (path.endswith("_slew") and value > 0), path
    elif isinstance(value, dict):
        for key, entry in value.items():
            assert_finite(entry, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            assert_finite(entry, f"{path}.{number}")


def use_rig(loaded):
    config = loaded.config
    assert_finite(config.model_dump())
    assert config.wavelength > 0
    assert all(p.radius > 0 for p in config.particles)
    json.dumps(loaded.source, allow_nan=False, default=str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build_trap(config)
        if config.devices is not None and config.devices.digitizer is not None:
            build_rig(loaded)


def use_plan(plan):
    values = plan_to_dict(plan)
    assert_finite(values)
    assert plan_from_dict(json.loads(json.dumps(values, allow_nan=False))) == plan


def fuzz_files(kind, folder, seeds):
    originals, path = texts(kind), folder / "fuzzed.toml"

    def make(rnd, _seed):
        path.write_bytes(changed_text(rnd.choice(originals), rnd))
        return path

    def use(given):
        if kind == "rigs":
            use_rig(read_rig(str(given)))
        else:
            use_plan(read_plan(str(given)).plan)

    return fuzz(make, use, seeds)


def random_setting(rnd, kind, documents):
    path = rnd.choice(documents)
    if rnd.random() < 0.15:
        path = damaged(path.encode(), rnd).decode("utf-8", "replace")
    value = rnd.choice(VALUES) if rnd.random() < 0.8 else rnd.choice(VALUES).strip('"')
    prefix = "plan." if kind == "plans" else ""
    return f"{prefix}{path}{rnd.choice(('=', '=', '=', '=', ' = ', ''))}{value}"


def fuzz_settings(kind, seeds):
    names = shipped(kind)
    documents = {name: list(paths_of(tomllib.loads(text_of(kind, name)))) for name in names}

    def make(rnd, _seed):
        name = rnd.choice(names)
        number = rnd.choice((1, 1, 2, 3))
        return name, [random_setting(rnd, kind, documents[name]) for _ in range(number)]

    def use(given):
        name, settings = given
        of_rig, of_plan = split_overrides(settings)
        if kind == "rigs":
            use_rig(read_rig(name, of_rig))
        else:
            use_plan(read_plan(name, of_plan).plan)

    return fuzz(make, use, seeds)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rigs", "plans"])
def test_files_that_were_changed_at_random_are_refused_or_make_sense(tmp_path, kind):
    assert fuzz_files(kind, tmp_path, range(150)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rigs", "plans"])
def test_random_settings_are_refused_or_make_sense(kind):
    assert fuzz_settings(kind, range(150)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rigs", "plans"])
def test_a_thousand_changed_files_are_refused_or_make_sense(tmp_path, kind):
    assert fuzz_files(kind, tmp_path, range(1000, 2000)) > 300


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rigs", "plans"])
def test_a_thousand_settings_are_refused_or_make_sense(kind):
    assert fuzz_settings(kind, range(1000, 2000)) > 300


def test_the_damage_is_the_same_for_the_same_seed():
    text = b"".join(bytes([n % 256]) for n in range(2000))
    assert damaged(text, random.Random(5)) == damaged(text, random.Random(5))
