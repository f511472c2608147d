"""What a RuntimeClass adds to the pods that name it, and which pods it is refused to."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import PODS, SERVICE_ACCOUNTS
from dray.apiserver.registry.runtime_class import RUNTIME_CLASSES
from tests.unit.apiserver.admission.cluster import Cluster


async def a_class(cluster: Cluster, **parts: Any) -> None:
    await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    await cluster.client.create(RUNTIME_CLASSES, {"metadata": {"name": "kata"}, "handler": "kata", **parts})


async def a_pod(cluster: Cluster, **spec: Any) -> Object:
    whole = {"containers": [{"name": "c", "image": "i"}], "runtimeClassName": "kata", **spec}
    pod = await cluster.client.create(PODS, {"metadata": {"name": "p"}, "spec": whole}, "default")
    seen: Object = pod["spec"]
    return seen


async def test_a_pod_costs_what_its_runtime_costs(cluster: Cluster) -> None:
    await a_class(cluster, overhead={"podFixed": {"cpu": "250m"}})
    assert (await a_pod(cluster))["overhead"] == {"cpu": "250m"}


async def test_a_pod_runs_where_its_runtime_is(cluster: Cluster) -> None:
    toleration = {"key": "kata", "operator": "Exists"}
    await a_class(cluster, scheduling={"nodeSelector": {"kata": "yes"}, "tolerations": [toleration]})
    narrower = {"key": "kata", "operator": "Equal", "value": "v", "effect": "NoSchedule"}
    spec = await a_pod(cluster, nodeSelector={"a": "b"}, tolerations=[narrower])
    assert spec["nodeSelector"] == {"a": "b", "kata": "yes"}
    assert [each for each in spec["tolerations"] if each["key"] == "kata"] == [toleration]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        ({"overhead": {"cpu": "1"}}, "Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        (
            {"runtimeClassName": None, "overhead": {"cpu": "1"}},
            "Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"nodeSelector": {"kata": "no"}},
            r"conflict: runtimeClass.scheduling.nodeSelector\[kata\] = yes; pod.spec.nodeSelector\[kata\] = no",
        ),
    ],
)
async def test_a_pod_that_contradicts_its_runtime_class_is_refused(
    cluster: Cluster, spec: Object, why: str
) -> None:
    await a_class(cluster, overhead={"podFixed": {"cpu": "2"}}, scheduling={"nodeSelector": {"kata": "yes"}})
    with pytest.raises(errors.Forbidden, match=why):
        await a_pod(cluster, **spec)
