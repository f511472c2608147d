"""Helm itself installs, changes and removes the example driver in an embedded cluster."""

import time
from pathlib import Path

import pytest
import yaml

from dray.cli.driver.new import placeholders, write_project
from dray.testing.whole_cluster import WholeCluster

helm = pytest.importorskip("helm_python", reason="helm-python-sdk is there for Linux on x86-64 only")

CHART = Path(__file__).parents[3] / "deploy" / "example-driver" / "chart"
NAME = "dra-example-driver"


def test_the_chart_of_a_new_project_is_one_that_helm_takes(tmp_path: Path) -> None:
    write_project(tmp_path, placeholders("night-lamps.example.com"))
    report = helm.lint(tmp_path / "chart", strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    with helm.Chart.load(tmp_path / "chart") as chart:
        texts = chart.render({"extendedResourceName": "example.com/lamp"}, name="lamps", namespace="lamps")
    found = {obj["kind"]: obj for text in texts.values() for obj in yaml.safe_load_all(text) if obj}
    assert {"DaemonSet", "ClusterRole", "ServiceAccount", "ValidatingAdmissionPolicy"} <= found.keys()
    assert found["DeviceClass"]["spec"]["extendedResourceName"] == "example.com/lamp"


def offers(cluster: WholeCluster, devices: int) -> bool:
    """Whether that many are published within a while: a driver is ready a moment before."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if sum(len(one["spec"]["devices"]) for one in cluster.list("ResourceSlice")) == devices:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.timeout(120)
def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(cluster: WholeCluster) -> None:
    with helm.Config(kubeconfig_path=cluster.kubeconfig, namespace=NAME) as config:
        installed = config.install(
            CHART, NAME, namespace=NAME, create_namespace=True, wait="watcher", timeout=60
        )
        assert installed["status"] == "deployed"
        cluster.wait(
            "DaemonSet", f"{NAME}-kubeletplugin", lambda one: one["status"]["numberReady"] == 1, NAME
        )
        assert offers(cluster, 8)

        values = {"kubeletPlugin": {"numDevices": 3}, "controller": {"plugins": ["BindingConditions"]}}
        config.upgrade(CHART, NAME, values, namespace=NAME, wait="watcher", timeout=60)
        assert offers(cluster, 3)
        assert cluster.get("Deployment", f"{NAME}-controller", NAME)["status"]["readyReplicas"] == 1

        config.rollback(NAME, wait="watcher", timeout=60)
        assert offers(cluster, 8)
        assert cluster.list("Deployment", NAME) == []

        config.uninstall(NAME, wait="watcher", timeout=60)
        assert cluster.list("DaemonSet", NAME) == []
        assert [one for one in cluster.list("ClusterRole") if NAME in one["metadata"]["name"]] == []
