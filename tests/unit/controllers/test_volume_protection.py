"""Volumes, claims and their classes go when nobody uses them any more, and not before."""

from typing import Any

from dray.api.meta import Object
from dray.api.resources import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    VOLUME_ATTRIBUTES_CLASSES,
    Resource,
)
from dray.api.volumes import PROTECTION
from dray.controllers.volume_protection import AttributesClassProtection, ClaimProtection, VolumeProtection
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle


def kept(
    resource: Resource, name: str, namespace: str = "", *, deleted: bool = False, **content: Any
) -> Object:
    meta: Object = {"finalizers": [PROTECTION[resource]], "uid": f"uid-{name}"}
    if deleted:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    api_version = f"{resource.group}/v1" if resource.group else "v1"
    return obj(resource.kind, name, namespace, api_version=api_version, metadata=meta, **content)


def claim(name: str = "c", **content: Any) -> Object:
    return kept(PERSISTENT_VOLUME_CLAIMS, name, "ns", **content)


def pod(name: str = "p", *, node: str = "n", volumes: Any = None, **content: Any) -> Object:
    named = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    return obj(
        "Pod", name, "ns", spec={"nodeName": node, "volumes": volumes or named, "containers": []}, **content
    )


def finalizers(client: MemoryClient, resource: Resource, name: str, namespace: str = "") -> list[str] | None:
    """None: the object is gone."""
    found = client.find(resource, name, namespace)
    return None if found is None else found["metadata"].get("finalizers") or []


def test_claim_goes_when_the_last_pod_that_uses_it_is_gone() -> None:
    client = MemoryClient(claim(deleted=True), pod(status={"phase": "Succeeded"}))

    async def scenario() -> None:
        async with controllers(client, ClaimProtection):
            await settle()
            assert finalizers(client, PERSISTENT_VOLUME_CLAIMS, "c", "ns")
            await client.delete(PODS, "p", "ns", grace_period_seconds=0)
            await settle()
            assert not finalizers(client, PERSISTENT_VOLUME_CLAIMS, "c", "ns")

    run(scenario())


def test_pods_without_a_node_hold_no_claim() -> None:
    client = MemoryClient(claim(deleted=True), pod(node=""))

    async def scenario() -> None:
        async with controllers(client, ClaimProtection):
            await settle()
            assert not finalizers(client, PERSISTENT_VOLUME_CLAIMS, "c", "ns")

    run(scenario())


def test_claim_made_for_a_pod_is_held_until_the_pod_is_down() -> None:
    ephemeral = [{"name": "v", "ephemeral": {}}]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
    made = claim("p-v", deleted=True)
    made["metadata"]["ownerReferences"] = [owner]
    running = pod(volumes=ephemeral, metadata={"uid": "u"})
    client = MemoryClient(made, running)

    async def scenario() -> None:
        async with controllers(client, ClaimProtection):
            await settle()
            assert finalizers(client, PERSISTENT_VOLUME_CLAIMS, "p-v", "ns")
            found = client.find(PODS, "p", "ns")
            assert found is not None
            down = {
                **found["metadata"],
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "deletionGracePeriodSeconds": 0,
            }
            await client.update(PODS, {**found, "metadata": {**down, "finalizers": ["example.com/x"]}})
            await settle()
            assert not finalizers(client, PERSISTENT_VOLUME_CLAIMS, "p-v", "ns")

    run(scenario())


def test_volume_goes_once_it_is_not_bound() -> None:
    bound = kept(PERSISTENT_VOLUMES, "b", deleted=True, status={"phase": "Bound"})
    free = kept(PERSISTENT_VOLUMES, "f", deleted=True, status={"phase": "Released"})
    client = MemoryClient(bound, free)

    async def scenario() -> None:
        async with controllers(client, VolumeProtection):
            await settle()
            assert finalizers(client, PERSISTENT_VOLUMES, "b")
            assert not finalizers(client, PERSISTENT_VOLUMES, "f")

    run(scenario())


def test_class_goes_when_no_claim_has_it() -> None:
    attributes = kept(VOLUME_ATTRIBUTES_CLASSES, "gold", deleted=True)
    client = MemoryClient(attributes, claim(spec={"volumeAttributesClassName": "gold"}))

    async def scenario() -> None:
        async with controllers(client, AttributesClassProtection):
            await settle()
            assert finalizers(client, VOLUME_ATTRIBUTES_CLASSES, "gold")
            found = client.find(PERSISTENT_VOLUME_CLAIMS, "c", "ns")
            assert found is not None
            await client.update(
                PERSISTENT_VOLUME_CLAIMS, {**found, "spec": {"volumeAttributesClassName": "silver"}}
            )
            await settle()
            assert not finalizers(client, VOLUME_ATTRIBUTES_CLASSES, "gold")

    run(scenario())


def test_what_was_made_without_protection_gets_it() -> None:
    client = MemoryClient(obj("PersistentVolumeClaim", "c", "ns"))

    async def scenario() -> None:
        async with controllers(client, ClaimProtection):
            await settle()
            assert finalizers(client, PERSISTENT_VOLUME_CLAIMS, "c", "ns") == ["kubernetes.io/pvc-protection"]

    run(scenario())
