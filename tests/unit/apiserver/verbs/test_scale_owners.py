"""Who owns the replicas after a write through /scale: as kube-apiserver 1.36.2 records it."""

from typing import Any

from dray.api.meta import Object
from dray.api.resources import DEPLOYMENTS
from dray.apiserver.core import Core, WriteOptions
from dray.apiserver.registry.deployment import DEPLOYMENT
from dray.apiserver.structure import Body
from dray.apiserver.verbs.patch import apply
from dray.apiserver.verbs.read import get
from dray.apiserver.verbs.scale import patch_scale
from dray.client.protocol import PatchType

from ..serving import add, call, new_core


def deployment(**spec: Any) -> Object:
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


async def scaled(core: Core, replicas: int, manager: str) -> None:
    options = WriteOptions(field_manager=manager)
    calling = call(core, "patch", DEPLOYMENTS, "d", subresource="scale", options=options)
    await patch_scale(calling, PatchType.MERGE, Body({"spec": {"replicas": replicas}}))


async def applied(core: Core, manager: str, **spec: Any) -> None:
    options = WriteOptions(field_manager=manager)
    await apply(call(core, "patch", DEPLOYMENTS, "d", options=options), Body(deployment(**spec)))


async def owners(core: Core) -> list[tuple[str, str, bool, bool]]:
    """Manager, subresource, whether it owns the replicas, whether it says since when."""
    obj = (await get(call(core, "get", DEPLOYMENTS, "d"))).obj
    return [
        (
            entry["manager"],
            entry.get("subresource", ""),
            "f:replicas" in entry["fieldsV1"].get("f:spec", {}),
            "time" in entry,
        )
        for entry in obj["metadata"]["managedFields"]
    ]


async def test_replicas_that_nobody_owns_are_nobodys_after_a_scale_and_anybodys_to_apply() -> None:
    core = await new_core(DEPLOYMENT)
    await applied(core, "a1")
    await scaled(core, 4, "m1")
    assert await owners(core) == [("a1", "", False, True)]

    await applied(core, "a2", replicas=3)
    assert await owners(core) == [("a1", "", False, True), ("a2", "", True, True)]


async def test_replicas_that_somebody_owns_go_to_who_scales_without_a_time() -> None:
    core = await new_core(DEPLOYMENT)
    await add(core, DEPLOYMENTS, deployment(replicas=2))
    await scaled(core, 3, "m1")
    assert await owners(core) == [("m1", "scale", True, False), ("test", "", False, True)]

    await scaled(core, 4, "m2")
    assert await owners(core) == [("m2", "scale", True, False), ("test", "", False, True)]
