"""docs/driver.md: its code runs, its commands work, and its tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from blocks import ROOT, blocks_of, run_python

from dray.sdk.metrics import DriverMetrics
from dray.sdk.options import COMMON_FLAGS
from dray.testing.background import Background
from dray.testing.driver_bench import DriverBench
from dray.testing.pytest_plugin import short_directory

PAGE = "docs/driver.md"
QUIET = {"kube-api-qps", "kube-api-burst", "feature-gates"}
"""Accepted for compatibility only."""


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    return run_python(PAGE)


def test_the_first_driver_has_thirty_lines() -> None:
    first = blocks_of(PAGE, "python")[0]
    assert "run(Lamps())" in first.code
    assert len(first.code.splitlines()) <= 30


def test_the_test_of_the_page_passes(names: dict[str, Any]) -> None:
    with short_directory() as root, Background() as background:
        bench = DriverBench(background, root)
        names["test_a_container_is_told_its_lamp"](bench)
        bench.stop()


def test_drivers_of_the_page_do_what_it_says(names: dict[str, Any]) -> None:
    with short_directory() as root, Background() as background:
        bench = DriverBench(background, root)
        bench.start(names["TalkingLamps"]())
        edits = bench.edits(bench.prepare(bench.claim("lamp-0")))
        assert edits["mounts"][0]["containerPath"].startswith("/var/run/kubernetes.io/dra-device-attributes/")
        bench.start(names["WatchedLamps"]())
        assert names["WatchedLamps"]().health()[2].message == "too hot"
        bench.stop()


def test_commands_of_the_page_work_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "lamps.py").write_text(blocks_of(PAGE, "python")[0].code)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in blocks_of(PAGE, "sh"):
        for line in block.code.splitlines():
            result = subprocess.run(
                shlex.split(line), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert result.returncode == 0, f"{block.where}: {line}\n{result.stdout}{result.stderr}"
    assert (tmp_path / "report.xml").exists()
    assert (tmp_path / "dra-lamps" / "README.md").exists()


def test_the_table_of_flags_is_complete() -> None:
    table = dict(re.findall(r"^\| `--([\w-]+)` \| `(\w+)` \|", (ROOT / PAGE).read_text(), re.MULTILINE))
    assert table == {flag.name: flag.variable for flag in COMMON_FLAGS if flag.name not in QUIET}


def test_metrics_of_the_page_exist() -> None:
    named = set(re.findall(r"`(dray_driver_\w+)`", (ROOT / PAGE).read_text()))
    source = (ROOT / "src/dray/sdk/plugin.py").read_text()
    known = {metric.name for metric in DriverMetrics("dray_driver").registry}
    known |= {f"dray_driver_{name}" for name in re.findall(r'watch\(\s*"(\w+)"', source)}
    assert named <= known
    assert {name for name in known if not name.endswith("_seconds")} <= named
