"""The contract suites on real devices: ``pytest --hardware RIG`` on this file.

Nothing is written unless ``--hardware-writes`` is given as well.
"""

from __future__ import annotations

import pytest

from optobind.config.live import make_real_device, real_devices
from optobind.config.load import read_rig
from optobind.instruments.contracts import check_contract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.config.getoption("--hardware")
    families = [] if path is None else list(real_devices(read_rig(path).config))
    metafunc.parametrize("family", families)


def test_device_keeps_the_promises_of_its_family(family, pytestconfig):
    config = read_rig(pytestconfig.getoption("--hardware")).config
    writes = pytestconfig.getoption("--hardware-writes")
    check_contract(family, lambda: make_real_device(config, family), writes=writes)
