"""`dray driver new` makes a project that passes its own tests, and works in a cluster as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dray.cli.driver import command

IN_A_CLUSTER = """
import sys
from pathlib import Path
from test_chart import rendered

def test_the_chart_is_accepted_and_the_example_runs(cluster):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}}
    stored = cluster.apply([namespace, *rendered().values()])
    assert len(stored) == 8
    cluster.start_driver(sys.executable, "-m", "dra_night_lamps")
    cluster.apply(Path("examples/pod.yaml").read_text())
    cluster.wait("Pod", "dra-night-lamps-example", lambda pod: pod["status"]["phase"] == "Succeeded")
    assert cluster.logs("dra-night-lamps-example").startswith("device night-lamps-")
    assert "at 40 W" in cluster.logs("dra-night-lamps-example")
"""


def new(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["new", *arguments])


def test_the_project_passes_its_own_tests_and_runs_in_a_cluster(tmp_path: Path) -> None:
    project = tmp_path / "project"
    result = new("night-lamps.example.com", "--directory", str(project))
    assert result.exit_code == 0, result.output
    assert "put your hardware into dra_night_lamps/hardware.py" in result.output
    (project / "tests" / "test_cluster.py").write_text(IN_A_CLUSTER)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "dray.testing.pytest_plugin"],
        cwd=project,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "13 passed" in tests.stdout, tests.stdout + tests.stderr


def test_the_code_is_clean(tmp_path: Path) -> None:
    assert new("lamps.example.com", "--directory", str(tmp_path)).exit_code == 0
    for verb in (["check"], ["format", "--check"]):
        linted = subprocess.run(
            [sys.executable, "-m", "ruff", *verb, "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert linted.returncode == 0, linted.stdout + linted.stderr


def test_nothing_of_a_template_is_left(tmp_path: Path) -> None:
    assert new("3d.printers.example.com", "--directory", str(tmp_path)).exit_code == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    names = [str(path.relative_to(tmp_path)) for path in files]
    assert {"Dockerfile", ".github/workflows/ci.yaml", "dra_3d/driver.py", "chart/Chart.yaml"} <= set(names)
    assert [name for name in names if "@" in name or name.endswith(".tmpl")] == []
    assert [path for path in files if "@NAME@" in path.read_text()] == []


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("lamps", "must be a DNS name of at least two parts"),
        ("mydriver", "like mydriver.example.com"),
        ("Lamps.example.com", "of lower-case letters"),
        ("lamps_.example.com", "like lamps.example.com"),
        ("l" * 60 + ".io.io", "has 66 characters; a driver name has at most 63"),
    ],
)
def test_a_name_that_no_driver_can_have_is_refused(name: str, complaint: str, tmp_path: Path) -> None:
    result = new(name, "--directory", str(tmp_path / "p"))
    assert result.exit_code == 1
    assert complaint in result.output
    assert not (tmp_path / "p").exists()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    result = new("lamps.example.com", "--directory", str(tmp_path))
    assert result.exit_code == 1
    assert "exists and is not empty; choose another place with --directory" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_project_is_named_after_the_first_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new("fpga.acme.io").exit_code == 0
    assert (tmp_path / "dra-fpga" / "dra_fpga" / "__main__.py").exists()
