"""The README's commands, run in its order on an empty home."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest
from blocks import ROOT, blocks_of

THE_TESTS_THEMSELVES = "./dev test"


def commands() -> list[str]:
    lines = [line for block in blocks_of("README.md", "sh") for line in block.code.splitlines()]
    without_comments = [shlex.join(shlex.split(line, comments=True)) for line in lines]
    return [command for command in without_comments if command and command != THE_TESTS_THEMSELVES]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory with `./dray` as the README means it, set up already."""
    directory = tmp_path_factory.mktemp("clone")
    (directory / "dray").symlink_to(pathlib.Path(sys.executable).parent / "dray")
    return directory


def run(command: str, directory: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    return subprocess.run(
        command,
        shell=True,
        cwd=directory,
        env=environment,
        input="y\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.kubectl
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs the real kubectl on PATH")
def test_commands_of_the_readme_work_in_its_order(clone: pathlib.Path) -> None:
    done = []
    try:
        for command in commands():
            result = run(command, clone)
            assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
            done.append(command)
    finally:
        run("./dray delete --yes", clone)
    assert len(done) >= 6
    assert not (clone / ".local" / "share" / "dray" / "dray").exists()


def test_pages_that_the_readme_names_exist() -> None:
    text = (ROOT / "README.md").read_text()
    pages = [part.split(")", 1)[0] for part in text.split("](")[1:]]
    assert [page for page in pages if not page.startswith("http") and not (ROOT / page).exists()] == []
