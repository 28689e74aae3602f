"""The TOML and Python of the how-to pages works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from optobind.acquisition.sweeps.knobs import set_rig_knobs
from optobind.config.build import build_rig
from optobind.config.load import LoadedRig, read_plan, read_rig, rig_from_dict

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(page: str, language: str) -> list[str]:
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("real-rig.md", "toml"), ids=lambda text: text[:48])
def test_table_of_the_page_fits_into_the_example(block):
    document = read_rig("lab-slm-aom").source
    document["devices"] |= tomllib.loads(block)["devices"]
    config = rig_from_dict(document)
    assert build_rig(LoadedRig("page", config, document)).mode == "LIVE"


KNOBS = [text for text in blocks("knobs-and-sensors.md", "toml") if "[devices." in text]


@pytest.mark.parametrize("block", KNOBS, ids=lambda text: text[:48])
def test_knobs_of_the_page_fit_into_a_rig(block):
    tables = tomllib.loads(block)["devices"]
    simulated = '"simulated"' in block
    document = read_rig("simulated-pair" if simulated else "lab-slm-aom").source
    document["devices"] |= tables
    rig = build_rig(LoadedRig("page", rig_from_dict(document), document))
    assert [*rig.knobs, *rig.sensors] == [*tables["knobs"], *tables["sensors"]]


def test_plan_of_the_page_sweeps_its_knob(tmp_path):
    first, plan, _ = blocks("knobs-and-sensors.md", "toml")
    set_rig_knobs({"coil": {"unit": "A", "low": 0.0, "high": 0.5, "given": "mA"}})
    assert "[devices.knobs.coil]" in first
    (tmp_path / "plan.toml").write_text(plan)
    assert read_plan(str(tmp_path / "plan.toml")).plan.axes[0].stop == pytest.approx(0.4)


def test_driver_of_the_page_keeps_the_promises_of_knobs():
    names: dict[str, object] = {}
    for block in blocks("knobs-and-sensors.md", "python"):
        exec(compile(block, "knobs-and-sensors.md", "exec"), names)
    assert names["state"] == {"ATT": "3.00"}  # turned, and turned back


@pytest.mark.parametrize(("page", "number"), [("virtual-lab.md", 0), ("write-a-driver.md", 0)])
def test_python_of_the_page_runs(page, number, capsys):
    names: dict[str, object] = {}
    exec(compile(blocks(page, "python")[number], page, "exec"), names)
    assert capsys.readouterr().out.strip() or len(names) > 1
