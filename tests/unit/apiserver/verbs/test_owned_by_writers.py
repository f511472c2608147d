"""What the server reads into an object is owned by who wrote it; what is nothing is owned by nobody; as in Kubernetes."""

from typing import Any

import pytest

from dray.api.meta import Object
from dray.api.resources import DEVICE_TAINT_RULES, RESOURCE_SLICES
from dray.apiserver.core import Core
from dray.apiserver.registry.device_taint_rule import DEVICE_TAINT_RULE
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.apiserver.verbs.update import update

from ..serving import add, call, new_core

POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}


async def core_with() -> Core:
    return await new_core(DEVICE_TAINT_RULE, RESOURCE_SLICE)


def owned(obj: Object, *path: str) -> Any:
    (entry,) = obj["metadata"]["managedFields"]
    fields: Any = entry["fieldsV1"]
    for name in path:
        fields = fields[f"f:{name}"]
    return sorted(name.removeprefix("f:") for name in fields)


async def test_time_of_a_taint_is_owned_by_who_wrote_the_rule() -> None:
    core = await core_with()
    taint = {"key": "a.example.com/x", "effect": "NoSchedule"}
    made = await add(
        core, DEVICE_TAINT_RULES, {"metadata": {"name": "t"}, "spec": {"taint": taint}}, namespace=""
    )
    assert owned(made, "spec", "taint") == ["effect", "key", "timeAdded"]


def a_slice(name: str, **spec: Any) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {"driver": "d.example.com", "nodeName": "n", "pool": POOL, **spec},
    }


@pytest.mark.parametrize("empty", ["devices", "sharedCounters"])
async def test_nobody_owns_an_empty_list(empty: str) -> None:
    core = await core_with()
    made = await add(core, RESOURCE_SLICES, a_slice("s", **{empty: []}), namespace="")
    assert owned(made, "spec") == ["driver", "nodeName", "pool"]


async def test_a_list_that_is_emptied_is_owned_by_nobody_any_more() -> None:
    core = await core_with()
    made = await add(core, RESOURCE_SLICES, a_slice("s", devices=[{"name": "d"}]), namespace="")
    assert "devices" in owned(made, "spec")
    emptied = {**made, "spec": {**made["spec"], "devices": []}}
    record, _ = await update(call(core, "update", RESOURCE_SLICES, "s"), emptied)
    assert owned(record.obj, "spec") == ["driver", "nodeName", "pool"]
