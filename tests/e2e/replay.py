"""Replays a transcript's steps against a running cluster, as the one who recorded it typed them."""

import os
import pathlib
import subprocess
import time
from collections.abc import Mapping

from processes import ClusterProcess
from transcripts import Difference, Step, differing_lines, unexplained

from dray.cli.tutorial.run import manifest_path
from dray.client.config import read_kubeconfig
from dray.cluster.certificates import Authority
from dray.cluster.kubeconfig import kubeconfig_for, write_kubeconfig
from dray.kits.clock import SystemClock

FILES = (
    "deviceclass.yaml",
    "serviceaccount.yaml",
    "clusterrole.yaml",
    "clusterrolebinding.yaml",
    "priorityclass.yaml",
    "daemonset.yaml",
    "example/resourceclaim.yaml",
    "example/pod.yaml",
)
NODE_FLAGS = "--kubeconfig=/srv/cluster --server=https://127.0.0.1:16443"
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.3


class Replay:
    """A place with the manifests that the commands name, and the users who typed them."""

    def __init__(self, cluster: ClusterProcess, place: pathlib.Path, known: list[Difference]) -> None:
        self.cluster = cluster
        self.place = place
        self.known = known
        for folder, edition in (("seed", "2025"), ("v1", "latest")):
            for file in FILES:
                target = place / "manifests" / folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    target.symlink_to(manifest_path(edition, file))  # type: ignore[arg-type]
                except FileNotFoundError:
                    continue  # only one edition has it
        self.jane = self._user("jane", "jane", ["dev"])
        self.node = self._user("node", "system:node:kind-worker", ["system:nodes"])

    def _user(self, file: str, name: str, groups: list[str]) -> pathlib.Path:
        """The kubeconfig of somebody with a certificate of the cluster's own authority."""
        authority = Authority(self.cluster.data / "pki", SystemClock().now())
        admin = read_kubeconfig(self.cluster.data / "kubeconfig")
        server = admin["clusters"][0]["cluster"]["server"]
        path = self.place / f"{file}.kubeconfig"
        write_kubeconfig(
            path, kubeconfig_for(file, server, authority.pem, authority.client(file, name, groups))
        )
        return path

    def install_driver(self) -> None:
        """Where the transcript of what goes wrong begins."""
        self._shell("kubectl create namespace dra-tutorial")
        for file in FILES[:-1]:  # the claim, too, was there, and no pod
            self._shell(f"kubectl apply --server-side -f manifests/v1/{file}")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._shell("kubectl get resourceslices -o name").stdout.count("\n") < 2:
            assert time.monotonic() < deadline, "the driver publishes nothing"
            time.sleep(POLL_SECONDS)

    def differences(self, step: Step) -> list[str]:
        """The differing lines that nothing explains; reads are repeated until there are none, or patience ends."""
        for wait in step.waits:
            self._wait(wait)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.run(step)
            lines = self._compare(step, found)
            if not unexplained(step.id, lines, self.known) or not step.is_read or time.monotonic() > deadline:
                return lines
            time.sleep(POLL_SECONDS)

    def run(self, step: Step) -> subprocess.CompletedProcess[str]:
        command = step.command.replace(NODE_FLAGS, f"--kubeconfig={self.node}")
        environment = self.cluster.environment | {"DRIVER": "manifests/v1/daemonset.yaml"}
        if "jane-" in step.step and not step.step.startswith("21-"):
            environment["KUBECONFIG"] = str(self.jane)
        return self._shell(command, environment)

    def _shell(
        self, command: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.place,
            env=environment or self.cluster.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
        )

    @staticmethod
    def _compare(step: Step, found: subprocess.CompletedProcess[str]) -> list[str]:
        lines = differing_lines(step.stdout, found.stdout, is_unordered=step.is_unordered)
        lines += differing_lines(step.stderr, found.stderr, is_unordered=step.is_unordered)
        if step.code != found.returncode:
            lines += [f"- exit code {step.code}", f"+ exit code {found.returncode}"]
        return lines

    def _wait(self, what: str) -> None:
        """`namespace/name Phase`, or `namespace/name Condition=Status`."""
        key, state = what.split(" ")
        namespace, name = key.split("/")
        condition, _, status = state.partition("=")
        wanted = f"condition={condition}={status}" if status else f"jsonpath={{.status.phase}}={state}"
        self.cluster.kubectl("wait", f"pod/{name}", "-n", namespace, f"--for={wanted}", "--timeout=60s")


def has_kubectl() -> bool:
    return any(os.access(os.path.join(place, "kubectl"), os.X_OK) for place in os.get_exec_path())
