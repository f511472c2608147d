"""Replacing an object: how often, and in whose words, a bad change of its metadata is told."""

import pytest

from dray.api import errors
from dray.api.meta import replace_at
from dray.apiserver.registry.config_map import CONFIG_MAP
from dray.apiserver.registry.device_class import DEVICE_CLASS
from dray.apiserver.registry.kind import Kind
from dray.apiserver.registry.pod import POD
from dray.apiserver.registry.rbac import ROLE
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.apiserver.registry.service_account import SERVICE_ACCOUNT
from dray.apiserver.verbs.update import update

from ..serving import add, call, hub, new_core

SLICE = {"driver": "d", "pool": {"name": "p", "resourceSliceCount": 1}, "allNodes": True}
POD_SPEC = {"containers": [{"name": "c", "image": "i"}]}


@pytest.mark.parametrize(
    ("kind", "rest", "times"),
    [
        (RESOURCE_SLICE, {"spec": SLICE}, 3),
        (RESOURCE_CLAIM, {"spec": {}}, 4),
        (DEVICE_CLASS, {"spec": {}}, 4),
        (CONFIG_MAP, {}, 4),
        (SERVICE_ACCOUNT, {}, 4),
        (POD, {"spec": POD_SPEC}, 4),
        (ROLE, {}, 4),
    ],
    ids=lambda value: value.singular if isinstance(value, Kind) else "",
)
async def test_a_bad_label_is_told_each_time_the_metadata_is_looked_at(kind, rest, times) -> None:
    core = await new_core(kind)
    stored = await add(core, kind.resource, {"metadata": {"name": "x"}, **rest})
    changed = replace_at(stored, ("metadata", "labels"), {"a": "-"})
    calling = call(core, "update", kind.resource, "x")
    with pytest.raises(errors.Invalid) as refused:
        await update(calling, hub(calling, changed))
    causes = refused.value.status["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["metadata.labels"] * times


@pytest.mark.parametrize(
    ("meta", "findings"),
    [
        ({"name": "c" * 254}, ["must be no more than 253 bytes"]),
        ({"generateName": "c-"}, []),
        ({"generateName": "-c"}, ["a lowercase RFC 1123 subdomain must"]),
    ],
)
async def test_of_a_device_class_only_the_name_that_it_gets_is_looked_at(meta, findings) -> None:
    core = await new_core(DEVICE_CLASS)
    if not findings:
        await add(core, DEVICE_CLASS.resource, {"metadata": meta, "spec": {}})
        return
    with pytest.raises(errors.Invalid) as refused:
        await add(core, DEVICE_CLASS.resource, {"metadata": meta, "spec": {}})
    causes = refused.value.status["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["metadata.name"] * len(findings)
    assert all(text in cause["message"] for text, cause in zip(findings, causes, strict=True))
