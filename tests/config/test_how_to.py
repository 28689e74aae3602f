"""The TOML and Python of the how-to pages works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from optobind.config.build import build_rig
from optobind.config.load import LoadedRig, read_rig, rig_from_dict

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(page: str, language: str) -> list[str]:
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("block", blocks("real-rig.md", "toml"), ids=lambda text: text[:48])
def test_table_of_the_page_fits_into_the_example(block):
    document = read_rig("lab-slm-aom").source
    document["devices"] |= tomllib.loads(block)["devices"]
    config = rig_from_dict(document)
    assert build_rig(LoadedRig("page", config, document)).mode == "LIVE"


@pytest.mark.parametrize(("page", "number"), [("virtual-lab.md", 0), ("write-a-driver.md", 0)])
def test_python_of_the_page_runs(page, number, capsys):
    names: dict[str, object] = {}
    exec(compile(blocks(page, "python")[number], page, "exec"), names)
    assert capsys.readouterr().out.strip() or len(names) > 1
