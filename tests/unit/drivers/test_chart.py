"""The chart of the example driver, rendered by Helm itself, is what the plain manifests are."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from dray.drivers.example import main

helm = pytest.importorskip("helm_python", reason="helm-python-sdk is there for Linux on x86-64 only")

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "example-driver" / "chart"
PLAIN = ROOT / "deploy" / "example-driver" / "plain"
NAMESPACE = "dra-example-driver"
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "controller": {"controller": {"plugins": ["BindingConditions"]}},
    "webhook": {"webhook": {"enabled": True}},
    "quota": {"resourceQuota": {"enabled": True}},
    "net": {"deviceProfile": "net"},
    "cpu": {"deviceProfile": "cpu", "kubeletPlugin": {"cpu": {"numaNodes": 2}}},
    "partitions": {"kubeletPlugin": {"gpuPartitions": 4}},
    "no ports": {"kubeletPlugin": {"containers": {"plugin": {"healthcheckPort": -1, "metricsPort": -1}}}},
}


def rendered(values: dict[str, Any], namespace: str = NAMESPACE) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        texts = chart.render(values, name=NAMESPACE, namespace=namespace)
    return [obj for text in texts.values() for obj in yaml.safe_load_all(text) if obj]


def only(objects: list[dict[str, Any]], kind: str, suffix: str = "") -> dict[str, Any]:
    (found,) = [obj for obj in objects if obj["kind"] == kind and obj["metadata"]["name"].endswith(suffix)]
    return found


def plain(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((PLAIN / file).read_text()))


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize(
    ("variant", "kinds"),
    [
        (
            "default",
            {"DaemonSet", "DeviceClass", "ClusterRole", "ServiceAccount", "ValidatingAdmissionPolicy"},
        ),
        ("controller", {"Deployment"}),
        ("webhook", {"ValidatingWebhookConfiguration", "Certificate"}),
        ("quota", {"ResourceQuota"}),
    ],
)
def test_values_turn_parts_of_the_chart_on(variant: str, kinds: set[str]) -> None:
    assert kinds <= {obj["kind"] for obj in rendered(VARIANTS[variant])}
    if variant != "default":
        assert not kinds & {obj["kind"] for obj in rendered({})}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_whole_and_in_the_releases_namespace(variant: str) -> None:
    objects = rendered(VARIANTS[variant])
    assert all(obj["apiVersion"] and obj["kind"] and obj["metadata"]["name"] for obj in objects)
    namespaced = [obj["metadata"]["namespace"] for obj in objects if "namespace" in obj["metadata"]]
    assert set(namespaced) == {NAMESPACE}
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in objects]
    assert len(names) == len(set(names))


def test_helm_finds_nothing_to_mend() -> None:
    report = helm.lint(CHART, strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("namespaced", [True, False])
def test_a_release_in_the_default_namespace_is_refused_with_advice(namespaced: bool) -> None:
    with pytest.raises(helm.HelmError, match="add --namespace dra-example-driver --create-namespace"):
        rendered(
            {"namespaceOverride": "default"} if namespaced else {}, NAMESPACE if namespaced else "default"
        )
    assert rendered({"allowDefaultNamespace": True}, "default")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"kubeletPlugin": {"numDevice": 4}}, "numDevice"),
        ({"deviceProfile": "tpu"}, "deviceProfile"),
        ({"kubeletPlugin": {"numDevices": "many"}}, "numDevices"),
        ({"controller": {"plugins": "BindingConditions"}}, "plugins"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(helm.HelmError, match=complaint):
        rendered(values)


def test_the_driver_is_started_as_by_the_plain_manifests() -> None:
    ours = container_of(only(rendered({}), "DaemonSet"))
    theirs = container_of(only(plain("driver.yaml"), "DaemonSet"))
    for member in ("command", "volumeMounts", "securityContext"):
        assert ours[member] == theirs[member], member
    given = {entry["name"]: entry for entry in ours["env"]}
    plainly = {entry["name"]: entry for entry in theirs["env"]}
    assert plainly.keys() <= given.keys()
    # The tutorial's manifest has one more than the chart.
    assert (plainly.pop("NUM_DEVICES")["value"], given.pop("NUM_DEVICES")["value"]) == ("9", "8")
    assert {name: given[name] for name in plainly} == plainly
    # What only the chart sets is the default, but for the name and the port that its Service points to.
    defaults = {flag.variable: flag for flag in main.FLAGS}
    for name in given.keys() - plainly.keys() - {"DRIVER_NAME", "NAMESPACE", "METRICS_PORT"}:
        assert given[name]["value"].lower() == str(defaults[name].default).lower(), name


def test_the_driver_may_do_what_it_may_by_the_plain_manifests() -> None:
    def rules(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        role = next(obj for obj in objects if obj["kind"] == "ClusterRole")
        return [rule for rule in role["rules"] if "resourceclaims/driver" not in rule["resources"]]

    assert rules(rendered({})) == rules(plain("driver.yaml"))


def test_the_controller_and_the_webhook_are_started_as_by_the_plain_manifests() -> None:
    for variant, file in (("controller", "controller.yaml"), ("webhook", "webhook.yaml")):
        ours = container_of(only(rendered(VARIANTS[variant]), "Deployment"))
        theirs = container_of(only(plain(file), "Deployment"))
        assert ours["command"] == theirs["command"], variant


def test_settings_reach_the_driver() -> None:
    values = {
        "deviceProfile": "gpu",
        "driverName": "gpu.acme.io",
        "gpuDeviceStatus": True,
        "kubeletPlugin": {"numDevices": 3, "gpuPartitions": 4},
    }
    objects = rendered(values)
    given = {entry["name"]: entry.get("value") for entry in container_of(only(objects, "DaemonSet"))["env"]}
    assert (
        given["DRIVER_NAME"],
        given["NUM_DEVICES"],
        given["GPU_PARTITIONS"],
        given["GPU_DEVICE_STATUS"],
    ) == (
        "gpu.acme.io",
        "3",
        "4",
        "true",
    )
    assert "gpu.acme.io" in only(objects, "DeviceClass")["spec"]["selectors"][0]["cel"]["expression"]


# --- the image ---


def test_the_image_has_every_program_that_manifests_start() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    paths = [*(ROOT / "deploy").rglob("plain/*.yaml")]
    workloads = [
        obj
        for path in paths
        for obj in yaml.safe_load_all(path.read_text())
        if "template" in obj.get("spec", {})
    ]
    started = {container_of(workload)["command"][0] for workload in workloads}
    assert started <= scripts.keys()
    assert len(started) == 4


def test_the_image_is_made_of_files_that_exist() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    copied = [words.split()[1:-1] for words in lines if re.match(r"COPY (?!--from)", words)]
    sources = [source for words in copied for source in words]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    # What the build of the package reads.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", "src", project["readme"]} <= set(sources)
