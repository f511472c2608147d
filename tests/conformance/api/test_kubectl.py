"""The real kubectl asks what it asked kube-apiserver 1.36.2, and ends as it did there; it explains every kind."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from kubectl_manifests import NS, write_manifests

from dray.api.resources import Resource
from dray.apiserver.registry.catalog import catalog

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH"),
]
COMMANDS = pathlib.Path(__file__).with_name("kubectl_commands.txt")
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    home = tmp_path_factory.mktemp("kubectl")
    write_manifests(home)
    environment = os.environ | {"HOME": str(home), "KUBECONFIG": str(home / "data" / "kubeconfig")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *arguments], cwd=home, env=environment, capture_output=True, text=True, timeout=60
        )

    with _server(home / "data"):
        yield run


@contextlib.contextmanager
def _server(data: pathlib.Path) -> Iterator[None]:
    command = [sys.executable, "-m", "dray.cli.main", "apiserver", "--data-dir", str(data), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "Serving https://" in process.stdout.readline()
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def recorded() -> Iterator[tuple[int, list[str]]]:
    for line in COMMANDS.read_text().splitlines():
        if line and not line.startswith("#"):
            code, *arguments = line.replace("{ns}", NS).split()
            yield int(code), arguments


def test_every_recorded_command_ends_as_it_did_with_kubernetes(kubectl: Kubectl) -> None:
    wrong = []
    for code, arguments in recorded():
        ended = kubectl(*arguments)
        if ended.returncode != code:
            wrong.append(
                f"{' '.join(arguments)}: {ended.returncode}, recorded {code}: {ended.stderr.strip()}"
            )
    assert wrong == []


@pytest.mark.parametrize(
    "resource",
    [kind.resource for kind in catalog() if not kind.virtual],
    ids=lambda resource: resource.qualified,
)
def test_every_served_kind_is_explained_to_its_last_field(kubectl: Kubectl, resource: Resource) -> None:
    ended = kubectl("explain", resource.plural, f"--api-version={resource.api_version}", "--recursive")
    assert ended.returncode == 0, ended.stderr
    assert "FIELDS:" in ended.stdout
    assert "metadata" in ended.stdout
