"""What the server fills into new objects by what else is there, and keeps off them: limits, classes, finalizers, labels."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import (
    LIMIT_RANGES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICE_ACCOUNTS,
    VOLUME_ATTRIBUTES_CLASSES,
)
from dray.apiserver.registry.ingress import INGRESS_CLASSES, INGRESSES
from dray.apiserver.registry.storage import STORAGE_CLASSES
from tests.unit.apiserver.admission.cluster import Cluster, new_cluster

DEFAULT = "storageclass.kubernetes.io/is-default-class"
OWN = "volume.beta.kubernetes.io/storage-class"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with new_cluster() as made:
        await made.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
        yield made


def claim(name: str = "c", size: str = "2Gi", annotations: Any = None, **spec: Any) -> dict[str, Any]:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": whole}


async def storage_class(cluster: Cluster, name: str, *, default: bool = False, **more: Any) -> None:
    annotations = {DEFAULT: "true"} if default else {}
    obj = {"metadata": {"name": name, "annotations": annotations}, "provisioner": "x.example.com", **more}
    await cluster.client.create(STORAGE_CLASSES, obj)


async def test_what_may_be_used_is_protected(cluster: Cluster) -> None:
    made = await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim(), "default")
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    source = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    volume = await cluster.client.create(PERSISTENT_VOLUMES, {"metadata": {"name": "v"}, "spec": source})
    assert volume["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    attributes = {"metadata": {"name": "a"}, "driverName": "x.example.com", "parameters": {"a": "b"}}
    found = await cluster.client.create(VOLUME_ATTRIBUTES_CLASSES, attributes)
    assert found["metadata"]["finalizers"] == ["kubernetes.io/vac-protection"]


async def test_claim_without_a_class_gets_the_default(cluster: Cluster) -> None:
    unclassed = await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("before"), "default")
    assert "storageClassName" not in unclassed["spec"]
    await storage_class(cluster, "plain")
    await storage_class(cluster, "fast", default=True)
    made = await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("after"), "default")
    assert made["spec"]["storageClassName"] == "fast"
    none = await cluster.client.create(
        PERSISTENT_VOLUME_CLAIMS, claim("none", storageClassName=""), "default"
    )
    assert none["spec"]["storageClassName"] == ""
    old = await cluster.client.create(
        PERSISTENT_VOLUME_CLAIMS, claim("old", annotations={OWN: "plain"}), "default"
    )
    assert "storageClassName" not in old["spec"]


async def grown(cluster: Cluster, name: str, size: str) -> Any:
    stored = await cluster.client.get(PERSISTENT_VOLUME_CLAIMS, name, "default")
    spec = {**stored["spec"], "resources": {"requests": {"storage": size}}}
    return await cluster.client.update(PERSISTENT_VOLUME_CLAIMS, {**stored, "spec": spec})


async def bound(cluster: Cluster, name: str, class_name: str) -> None:
    made = await cluster.client.create(
        PERSISTENT_VOLUME_CLAIMS, claim(name, storageClassName=class_name), "default"
    )
    status = {"phase": "Bound", "capacity": {"storage": "2Gi"}}
    await cluster.client.update(PERSISTENT_VOLUME_CLAIMS, {**made, "status": status}, subresource="status")


async def test_bound_claims_grow_where_their_class_lets_them(cluster: Cluster) -> None:
    await storage_class(cluster, "fixed")
    await storage_class(cluster, "elastic", allowVolumeExpansion=True)
    await bound(cluster, "a", "elastic")
    assert (await grown(cluster, "a", "3Gi"))["spec"]["resources"]["requests"] == {"storage": "3Gi"}
    with pytest.raises(errors.Invalid, match=r"field can not be less than status\.capacity"):
        await grown(cluster, "a", "1Gi")
    await bound(cluster, "b", "fixed")
    with pytest.raises(
        errors.Forbidden, match="the storageclass that provisions the pvc must support resize"
    ):
        await grown(cluster, "b", "3Gi")
    await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claim("c", storageClassName="elastic"), "default")
    with pytest.raises(errors.Invalid, match=r"spec is immutable after creation except resources\.requests"):
        await grown(cluster, "c", "3Gi")


async def test_ingress_without_a_class_gets_the_default(cluster: Cluster) -> None:
    marked = {"name": "n", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    await cluster.client.create(INGRESS_CLASSES, {"metadata": marked, "spec": {"controller": "a.b/c"}})
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    for annotations, expected in (({}, "n"), ({"kubernetes.io/ingress.class": "z"}, None)):
        name = f"i{len(annotations)}"
        obj = {"metadata": {"name": name, "annotations": annotations}, "spec": {"defaultBackend": backend}}
        made = await cluster.client.create(INGRESSES, obj, "default")
        assert made["spec"].get("ingressClassName") == expected


async def test_pods_get_the_limits_of_their_namespace(cluster: Cluster) -> None:
    limits = [{"type": "Container", "max": {"cpu": "1"}}]
    await cluster.client.create(
        LIMIT_RANGES, {"metadata": {"name": "l"}, "spec": {"limits": limits}}, "default"
    )
    pod: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = await cluster.client.create(PODS, pod, "default")
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    big = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "2"}}}
    with pytest.raises(errors.Forbidden) as refused:
        await cluster.client.create(
            PODS, {"metadata": {"name": "q"}, "spec": {"containers": [big]}}, "default"
        )
    assert str(refused.value) == 'pods "q" is forbidden: maximum cpu usage per Container is 1, but limit is 2'


async def test_pods_are_labelled_with_the_place_of_their_node(cluster: Cluster) -> None:
    labels = {
        "topology.kubernetes.io/zone": "z",
        "topology.kubernetes.io/region": "r",
        "kubernetes.io/hostname": "n",
    }
    await cluster.client.create(NODES, {"metadata": {"name": "n", "labels": labels}})
    place = {key: labels[key] for key in sorted(labels) if "topology" in key}
    pod: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await cluster.client.create(PODS, pod, "default")
    binding = {"metadata": {"name": "p", "labels": {"a": "b"}}, "target": {"kind": "Node", "name": "n"}}
    await cluster.client.create(PODS, binding, "default", name="p", subresource="binding")
    assert (await cluster.client.get(PODS, "p", "default"))["metadata"]["labels"] == {"a": "b", **place}
    given = {"metadata": {"name": "q"}, "spec": {**pod["spec"], "nodeName": "n"}}
    assert (await cluster.client.create(PODS, given, "default"))["metadata"]["labels"] == place
