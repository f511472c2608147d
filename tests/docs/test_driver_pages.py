"""The pages about the drivers that come with dray: their commands are run, their file is read, their names exist."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from blocks import ROOT, blocks_of

from dray.drivers.example.main import FLAGS
from dray.drivers.host.config import parse_config
from dray.drivers.host.inventory import FINDERS

EXAMPLE_PAGE = "docs/example-driver.md"
HOST_PAGE = "docs/host-driver.md"
HEADINGS = ["What it shows", "Settings of the driver", "Run it", "What you see", "Clean up"]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/manifest.yaml"))


def run(command: str, home: pathlib.Path, directory: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """As a reader would, with an empty home, in `directory`."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        shell=True,
        cwd=directory,
        env={"PATH": path, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.kubectl
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs the real kubectl on PATH")
def test_the_commands_that_start_the_example_driver_end_in_a_pod_with_a_gpu(tmp_path: pathlib.Path) -> None:
    block = blocks_of(EXAMPLE_PAGE, "sh")[0]  # the other builds an image
    try:
        for command in block.code.splitlines():
            result = run(command, tmp_path, ROOT)
            assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    finally:
        run("dray delete --yes", tmp_path, ROOT)
    # Which of the two pods gets the first device is open.
    assert re.search(r'declare -x GPU_DEVICE_(\d)="gpu-\1"', result.stdout)


def test_the_example_drivers_settings_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (`--.*?) \| (`.*?) \|", (ROOT / EXAMPLE_PAGE).read_text(), re.MULTILINE)
    assert len(rows) >= 10
    known = {f"--{flag.name}": flag.variable for flag in FLAGS}
    for flags, variables in rows:
        named = re.findall(r"`(--[a-z-]+)`", flags)
        assert [known[flag] for flag in named] == re.findall(r"`([A-Z_]+)`", variables)


def test_the_host_drivers_file_is_read_and_its_dry_run_works(tmp_path: pathlib.Path) -> None:
    (file,) = blocks_of(HOST_PAGE, "yaml")
    (command,) = blocks_of(HOST_PAGE, "sh")
    assert parse_config(file.code, file.where).driver == "host.example.com"
    (tmp_path / "devices.yaml").write_text(file.code)
    result = run(command.code, tmp_path, tmp_path)
    assert result.returncode == 0, result.stderr
    assert any(
        entry["device"]["name"].startswith("cpu-") for entry in yaml.safe_load(result.stdout)["devices"]
    )


def test_the_page_has_a_row_for_every_kind_of_hardware() -> None:
    table = (ROOT / HOST_PAGE).read_text().partition("## What is published")[2]
    assert re.findall(r"^\| (\w+) \| `", table, re.MULTILINE) == sorted(FINDERS)


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_every_demo_explains_itself_under_the_same_headings(folder: pathlib.Path) -> None:
    text = (folder / "README.md").read_text()
    assert re.findall(r"^# (.*)$", text, re.MULTILINE) == [folder.name]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    named = set(re.findall(r"examples/([\w./-]+\.yaml)", text))
    assert named == {f"{folder.name}/{path.name}" for path in folder.glob("*.yaml")}
    assert f"[{folder.name}]({folder.name}/README.md)" in (ROOT / "examples" / "README.md").read_text()
