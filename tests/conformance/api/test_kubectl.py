"""The real kubectl does against a whole cluster what it did against Kubernetes 1.36.2, and explains every kind.

`kubectl.jsonl` has the recorded commands in order: a shell's `command`, the exit `code`, and the `shape` of what it printed;
`cut` says that the recording holds the beginning only. {node} is the cluster's node.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from kubectl_manifests import write_manifests
from kubectl_shapes import shape

from dray.api.meta import Object
from dray.api.resources import Resource
from dray.apiserver.registry.catalog import catalog

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH"),
]
CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api" / "kubectl.jsonl"
NAME = "recorded"
NODE = f"{NAME}-worker"
Shell = Callable[[str], subprocess.CompletedProcess[str]]

NOT_SERVED = {
    "kubectl get apiservices": "nothing is aggregated, so there are no APIService objects",
    "kubectl get crd": "custom resources are not served",
}
"""Commands that need a kind that is not served, and why it is not. They end with 1."""

_NO_KUBELET = "the recording's kubelet was a stand-in that ran nothing"
ENDS_OTHERWISE = {
    "kubectl version": (0, "the recorded server's version was no semantic version"),
    "kubectl logs -f pod0 -c ctr0 -n dra-tutorial": (124, _NO_KUBELET),
    "kubectl logs pod0 -n dra-tutorial --tail=5 --timestamps --previous": (1, _NO_KUBELET),
    "kubectl exec pod0 -n dra-tutorial -- env": (0, _NO_KUBELET),
    "kubectl exec -i pod0 -n dra-tutorial -c ctr0 -- sh": (0, _NO_KUBELET),
    "timeout 1 kubectl attach pod0 -n dra-tutorial": (124, _NO_KUBELET),
    "timeout 1 kubectl port-forward pod/pod0 18080:80 -n dra-tutorial": (124, _NO_KUBELET),
    "kubectl delete namespace dra-tutorial --timeout=20s": (0, _NO_KUBELET),
}
"""The exit code here, and why it is another; what is printed differs for the same reason."""

PATIENCE = 20
ENDLESS = {"kubectl logs -f pod0 -c ctr0 -n dra-tutorial": "timeout 1 "}
"""What is put before a command that would not end here."""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    home = tmp_path_factory.mktemp("kubectl")
    write_manifests(home)
    data = home / "data"
    environment = os.environ | {"HOME": str(home), "KUBECONFIG": str(data / "kubeconfig")}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, shell=True, cwd=home, env=environment, capture_output=True, text=True, timeout=60
        )

    dray = f"{sys.executable} -m dray.cli.main"
    place = f"--name {NAME} --data-dir {data} --kubeconfig {home / 'merged'}"
    started = run(f"{dray} up --detach --nodes 1 {place}")
    assert started.returncode == 0, started.stderr
    try:
        yield run
    finally:
        run(f"{dray} delete --yes {place}")


def recorded() -> list[Object]:
    return [json.loads(line) for line in CORPUS.read_text().splitlines()]


def difference(row: Object, ended: subprocess.CompletedProcess[str]) -> str:
    command, code = row["command"], row["code"]
    if command in NOT_SERVED:
        return "" if ended.returncode == 1 else "is served"
    if command in ENDS_OTHERWISE:
        expected = ENDS_OTHERWISE[command][0]
        return "" if ended.returncode == expected else f"ends with {ended.returncode}: {ended.stderr}"
    if ended.returncode != code:
        return f"ends with {ended.returncode}, recorded {code}: {ended.stderr.strip()}"
    seen, shown = shape(ended.stdout), row["shape"]
    agrees = set(shown) <= set(seen) if row.get("cut") else shown == seen
    return "" if agrees else f"shows {seen}, recorded {shown}"


def test_every_recorded_command_does_what_it_did_with_kubernetes(shell: Shell) -> None:
    wrong = []
    for row in recorded():
        command = ENDLESS.get(row["command"], "") + row["command"].replace("{node}", NODE)
        found = difference(row, shell(command))
        for _ in range(PATIENCE if row["command"].startswith("kubectl logs") else 0):
            # A container may take its time before it says anything.
            found = found and difference(row, shell(f"sleep 0.5; {command}"))
        if found:
            wrong.append(f"{row['command']}: {found}")
    assert wrong == []


def test_every_exception_names_a_recorded_command() -> None:
    commands = {row["command"] for row in recorded()}
    assert NOT_SERVED.keys() | ENDS_OTHERWISE.keys() | ENDLESS.keys() <= commands
    assert len(commands) > 100


@pytest.mark.parametrize(
    "resource",
    [kind.resource for kind in catalog() if not kind.virtual and not kind.served_with],
    ids=lambda resource: resource.qualified,
)
def test_every_served_kind_is_explained_to_its_last_field(shell: Shell, resource: Resource) -> None:
    ended = shell(f"kubectl explain {resource.plural} --api-version={resource.api_version} --recursive")
    assert ended.returncode == 0, ended.stderr
    assert "FIELDS:" in ended.stdout
    assert "metadata" in ended.stdout
