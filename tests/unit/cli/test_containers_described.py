"""Containers are chosen and described as kubectl 1.36 does it."""

from typing import Any

import pytest

from dray.cli.kubectl.describe_container import probe_lines, resource_value
from dray.cli.kubectl.describe_template import container_sections
from dray.cli.kubectl.elastic import align
from dray.cli.kubectl.logs import chosen_container
from dray.cli.kubectl.session import Failure

CONTAINER: dict[str, Any] = {
    "name": "one",
    "image": "i:1",
    "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}},
    "livenessProbe": {
        "httpGet": {"path": "/live", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    "readinessProbe": {"exec": {"command": ["a", "b"]}},
    "startupProbe": {"tcpSocket": {"port": "http"}, "initialDelaySeconds": 2},
    "envFrom": [
        {"configMapRef": {"name": "a"}},
        {"prefix": "P_", "secretRef": {"name": "s", "optional": True}},
    ],
    "env": [
        {"name": "A", "value": "1\n2"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
        {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ],
}


def test_container_tells_its_probes_and_sources_and_values() -> None:
    lines = list(container_sections({"containers": [CONTAINER]}, {}, {}))
    assert align(lines) == (
        "Containers:\n"
        "  one:\n"
        "    Image:      i:1\n"
        "    Port:       <none>\n"
        "    Host Port:  <none>\n"
        "    Limits:\n"
        "      cpu:      1500m\n"
        "      memory:   1Gi\n"
        "    Liveness:   http-get http://:80/live delay=0s timeout=1s period=10s #success=1 #failure=3\n"
        "    Readiness:  exec [a b] delay=0s timeout=0s period=0s #success=0 #failure=0\n"
        "    Startup:    tcp-socket :http delay=2s timeout=0s period=0s #success=0 #failure=0\n"
        "    Environment Variables from:\n"
        "      a  ConfigMap                Optional: false\n"
        "      s  Secret with prefix 'P_'  Optional: true\n"
        "    Environment:\n"
        "      A:     1\n"
        "             2\n"
        "      B:     <set to the key 'k' in secret 's'>      Optional: false\n"
        "      C:     <set to the key 'k' of config map 'c'>  Optional: true\n"
        "      D:     2 (limits.cpu)\n"
        "    Mounts:  <none>\n"
    )


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", None, "2"),
        ("limits.cpu", "1m", "1500"),
        ("limits.memory", "1Mi", "1024"),
        ("limits.memory", "0", "1073741824"),
        ("requests.cpu", None, "0"),
    ],
)
def test_resources_are_told_in_parts_rounded_up(resource: str, divisor: str | None, value: str) -> None:
    assert resource_value(CONTAINER, {"resource": resource, "divisor": divisor}) == value


def test_limit_that_is_not_there_is_the_nodes() -> None:
    assert resource_value({"name": "x"}, {"resource": "limits.memory"}) == "node allocatable"


def test_grpc_probe_tells_its_service() -> None:
    container = {"livenessProbe": {"grpc": {"port": 5, "service": "s"}}}
    [line] = probe_lines(container)
    assert line.startswith("    Liveness:\tgrpc <pod>:5 s delay=0s")


def _pod(**annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "annotations": annotations},
        "spec": {
            "initContainers": [{"name": "init"}],
            "containers": [{"name": "one"}, {"name": "two"}],
            "ephemeralContainers": [{"name": "debug"}],
        },
    }


DEFAULT = "kubectl.kubernetes.io/default-container"
ALL = "one, two, debug (ephem), init (init)"


def test_first_container_is_the_default_and_all_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen_container(_pod(), "") == "one"
    assert capsys.readouterr().err == f'Defaulted container "one" out of: {ALL}\n'


def test_annotation_chooses_the_container(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen_container(_pod(**{DEFAULT: "two"}), "") == "two"
    assert capsys.readouterr().err == ""


def test_container_that_is_not_there_is_refused_with_all_that_are() -> None:
    told = f"^error: container x is not valid for pod p out of: {ALL}$".replace("(", r"\(").replace(
        ")", r"\)"
    )
    with pytest.raises(Failure, match=told):
        chosen_container(_pod(), "x")
    with pytest.raises(Failure, match=told):
        chosen_container(_pod(**{DEFAULT: "x"}), "")


def test_logs_fall_back_from_a_wrong_annotation(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen_container(_pod(**{DEFAULT: "x"}), "", is_log=True) == "one"
    assert capsys.readouterr().err == (
        f'Default container name "x" not found in pod p\nDefaulted container "one" out of: {ALL}\n'
    )
