"""scripts/environment.sh installs what is missing, and nothing twice."""

import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "environment.sh"
UV = """#!/bin/sh
echo "$*" >>"$CALLS"
[ "$1" != venv ] || { mkdir -p "$root/.venv/bin" && : >"$root/.venv/bin/python" && chmod +x "$root/.venv/bin/python"; }
"""
PLAIN, TOOLS = "", "[dev]"


class Clone:
    """A clone with an installer that only writes down how it was called."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.calls = root / "calls"
        self.project("dependencies = []\n")
        tools = root / "tools"
        tools.mkdir()
        (tools / "uv").write_text(UV)
        (tools / "uv").chmod(0o755)

    def project(self, text: str) -> None:
        (self.root / "pyproject.toml").write_text(text)

    def ensure(self, extras: str) -> list[str]:
        """The installations that it took, by what was installed."""
        self.calls.write_text("")
        script = 'set -eu; export root CALLS; PATH=$root/tools:$PATH; . "$1"; ensure_environment "$2"'
        done = subprocess.run(
            ["sh", "-c", f'root="$3"; CALLS="$root/calls"; {script}', "dray", SCRIPT, extras, self.root],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        calls = self.calls.read_text().splitlines()
        return [call.rpartition(str(self.root))[2] for call in calls if call.startswith("pip install")]


@pytest.fixture
def clone(tmp_path: pathlib.Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.parametrize("extras", [PLAIN, TOOLS])
def test_second_use_installs_nothing(clone: Clone, extras: str) -> None:
    assert clone.ensure(extras) == [extras]
    assert clone.ensure(extras) == []


def test_developers_environment_is_enough_to_use_dray(clone: Clone) -> None:
    assert clone.ensure(TOOLS) == [TOOLS]
    assert clone.ensure(PLAIN) == []


def test_users_environment_is_not_enough_to_develop(clone: Clone) -> None:
    assert clone.ensure(PLAIN) == [PLAIN]
    assert clone.ensure(TOOLS) == [TOOLS]


def test_changed_dependencies_are_installed_once(clone: Clone) -> None:
    clone.ensure(TOOLS)
    clone.project('dependencies = ["one-more"]\n')
    assert clone.ensure(PLAIN) == [PLAIN]
    assert clone.ensure(PLAIN) == []
    assert clone.ensure(TOOLS) == [TOOLS]
