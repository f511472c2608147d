"""docs/insight.md: what it says of `devices` and `whatif` is what they know."""

import pathlib
import re

import pytest

from dray.cli import devices, whatif
from dray.insight.devices import STATES

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "insight.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_state_of_a_device_is_explained_and_no_other() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section("How devices are counted"), re.M)) == set(STATES)


def test_options_of_whatif_that_the_page_names_exist() -> None:
    known = {option for parameter in whatif.command.params for option in parameter.opts}
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", section("What `whatif` answers"))) - {"--help"}
    assert named
    assert named <= known


@pytest.mark.parametrize("option", ["--tree", "--by", "-w"])
def test_options_of_devices_that_the_page_names_exist(option: str) -> None:
    assert option in PAGE
    assert option in {name for parameter in devices.command.params for name in parameter.opts}


def test_the_exit_code_of_pending_pods_is_the_one_on_the_page() -> None:
    assert f"{whatif.STAYS_PENDING} that some stay pending" in section("What `whatif` answers")
