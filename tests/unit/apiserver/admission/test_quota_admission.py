"""A quota refuses what is too much, is charged for what fits, and limits nothing before it was worked out."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import PODS, RESOURCE_CLAIMS, RESOURCE_QUOTAS
from dray.apiserver.admission.quotas import QuotaAdmission
from dray.apiserver.core import Core, WriteOptions
from dray.apiserver.registry.pod import POD
from dray.apiserver.registry.quota import RESOURCE_QUOTA
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.update import update

from ..serving import add, call, hub, new_core

COUNT = "count/resourceclaims.resource.k8s.io"
DEVICES = "gpu.deviceclass.resource.k8s.io/devices"


def claim(name: str, count: int = 1) -> dict[str, Any]:
    exactly = {"deviceClassName": "gpu", "count": count}
    return {
        "metadata": {"name": name},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
    }


async def core_with(*quotas: dict[str, Any]) -> Core:
    core = await new_core(RESOURCE_CLAIM, RESOURCE_QUOTA, POD)
    for number, (status, spec) in enumerate((each.get("status"), each.get("spec")) for each in quotas):
        await add(core, RESOURCE_QUOTAS, {"metadata": {"name": f"q{number}"}, "spec": spec or {}})
        record = core.store.get(RESOURCE_QUOTAS.qualified, f"ns/q{number}")
        assert record is not None
        obj = {**record.obj, "status": status or {}}
        await core.store.update(RESOURCE_QUOTAS.qualified, record.path, obj, record.revision)
    core.admission = QuotaAdmission()
    return core


def status(hard: dict[str, str], used: dict[str, str] | None = None) -> dict[str, Any]:
    return {"status": {"hard": hard, "used": dict.fromkeys(hard, "0") if used is None else used}}


def used(core: Core, name: str = "q0") -> dict[str, str]:
    record = core.store.get(RESOURCE_QUOTAS.qualified, f"ns/{name}")
    assert record is not None
    return dict(record.obj["status"]["used"])


async def test_what_fits_is_charged_and_what_does_not_is_refused_with_the_figures() -> None:
    core = await core_with(status({COUNT: "2", DEVICES: "4"}))
    await add(core, RESOURCE_CLAIMS, claim("a", 3))
    assert used(core) == {COUNT: "1", DEVICES: "3"}
    with pytest.raises(errors.Forbidden) as refused:
        await add(core, RESOURCE_CLAIMS, claim("b", 2))
    assert str(refused.value) == (
        'resourceclaims.resource.k8s.io "b" is forbidden: exceeded quota: q0, requested: '
        f"{DEVICES}=2, used: {DEVICES}=3, limited: {DEVICES}=4"
    )
    await add(core, RESOURCE_CLAIMS, claim("b", 1))
    with pytest.raises(errors.Forbidden) as refused:
        await add(core, RESOURCE_CLAIMS, claim("c", 1))
    assert str(refused.value).endswith(
        f"requested: {COUNT}=1,{DEVICES}=1, used: {COUNT}=2,{DEVICES}=4, limited: {COUNT}=2,{DEVICES}=4"
    )
    assert used(core) == {COUNT: "2", DEVICES: "4"}


async def test_what_one_quota_refuses_is_charged_to_none() -> None:
    core = await core_with(status({COUNT: "5"}), status({DEVICES: "1"}))
    with pytest.raises(errors.Forbidden, match="exceeded quota: q1"):
        await add(core, RESOURCE_CLAIMS, claim("a", 2))
    assert used(core) == {COUNT: "0"}


async def test_dry_run_is_judged_but_not_charged() -> None:
    core = await core_with(status({COUNT: "1"}))
    trial = call(core, "create", RESOURCE_CLAIMS, options=WriteOptions(dry_run=True))
    await create(trial, hub(trial, claim("a")))
    assert used(core) == {COUNT: "0"}


@pytest.mark.parametrize(
    "quota",
    [
        {"spec": {"hard": {COUNT: "0"}}},
        {**status({COUNT: "0"}), "spec": {"hard": {COUNT: "0"}, "scopes": ["PriorityClass"]}},
        status({"pods": "0"}),
    ],
    ids=["not worked out yet", "with a scope", "of other things"],
)
async def test_quota_that_is_not_about_the_object_lets_it_pass(quota) -> None:
    core = await core_with(quota)
    await add(core, RESOURCE_CLAIMS, claim("a"))


async def test_quota_whose_use_is_not_known_refuses() -> None:
    core = await core_with(status({COUNT: "9"}, {}))
    with pytest.raises(errors.Forbidden, match=f"status unknown for quota: q0, resources: {COUNT}"):
        await add(core, RESOURCE_CLAIMS, claim("a"))


async def test_pod_must_say_what_a_quota_counts() -> None:
    core = await core_with(status({"requests.cpu": "1", "limits.memory": "1Gi"}))
    containers = [
        {"name": "a", "image": "i", "resources": {"requests": {"cpu": "1"}}},
        {"name": "b", "image": "i"},
    ]
    with pytest.raises(errors.Forbidden) as refused:
        await add(core, PODS, {"metadata": {"name": "p"}, "spec": {"containers": containers}})
    assert str(refused.value) == (
        'pods "p" is forbidden: failed quota: q0: must specify limits.memory for: a,b; requests.cpu for: b'
    )


def bare(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def test_scopes_choose_the_pods_that_a_quota_is_about() -> None:
    core = await core_with(
        {**status({"pods": "1"}), "spec": {"hard": {"pods": "1"}, "scopes": ["Terminating"]}},
        {**status({"pods": "1"}), "spec": {"hard": {"pods": "1"}, "scopes": ["NotTerminating"]}},
    )
    await add(core, PODS, bare("a"))
    assert (used(core), used(core, "q1")) == ({"pods": "0"}, {"pods": "1"})
    await add(core, PODS, bare("b", activeDeadlineSeconds=9))
    assert (used(core), used(core, "q1")) == ({"pods": "1"}, {"pods": "1"})
    with pytest.raises(errors.Forbidden, match="exceeded quota: q0, requested: pods=1"):
        await add(core, PODS, bare("c", activeDeadlineSeconds=9))


async def test_pod_that_changes_its_scope_is_charged_anew() -> None:
    core = await core_with(
        {**status({"pods": "0"}), "spec": {"hard": {"pods": "0"}, "scopes": ["Terminating"]}},
        status({"pods": "1"}),
    )
    pod = await add(core, PODS, bare("a"))
    changed = {**pod, "spec": {**pod["spec"], "activeDeadlineSeconds": 9}}
    with pytest.raises(errors.Forbidden, match="exceeded quota: q0, requested: pods=1"):
        await update(call(core, "update", PODS, "a"), changed)
    assert used(core, "q1") == {"pods": "1"}
