"""Namespaces' labels decide which pods come in, and who is warned of what."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import DEPLOYMENTS, NAMESPACES, PODS
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.admission.pod_security import PodSecurity
from dray.apiserver.authorization.rbac import Rbac
from dray.apiserver.core import Core
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.update import update
from dray.store.memory import MemoryStore

from ..serving import FixedClock, call, hub

L = "pod-security.kubernetes.io/"
PRIVILEGED = 'privileged (container "c" must not set securityContext.privileged=true)'


async def core_with(**labels: str) -> Core:
    core = Core(MemoryStore(), catalog(), clock=FixedClock(), admission=PodSecurity())
    metadata = {"name": "ns", "labels": {L + key.replace("_", "-"): value for key, value in labels.items()}}
    await written(core, NAMESPACES, {"metadata": metadata})
    return core


def pod(name: str = "p", **context: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "securityContext": context or {"privileged": True}}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def deployment() -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    return {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }


async def written(core: Core, resource: Any, obj: dict[str, Any]) -> Any:
    """The call, which has the warnings and the notes for the audit log."""
    calling = call(core, "create", resource)
    await create(calling, hub(calling, obj))
    return calling


async def relabeled(core: Core, **labels: str) -> list[str]:
    calling = call(core, "update", NAMESPACES, "ns")
    stored = core.find(NAMESPACES, "ns")
    assert stored is not None
    marked = {L + key.replace("_", "-"): value for key, value in labels.items()}
    await update(calling, {**stored, "metadata": {**stored["metadata"], "labels": marked}})
    return calling.warnings


async def test_what_is_enforced_keeps_pods_out() -> None:
    core = await core_with(enforce="baseline")
    with pytest.raises(errors.Forbidden) as refused:
        await written(core, PODS, pod())
    assert (
        str(refused.value) == f'pods "p" is forbidden: violates PodSecurity "baseline:latest": {PRIVILEGED}'
    )
    await written(core, PODS, pod(privileged=False))


async def test_what_is_not_enforced_is_warned_of_and_noted() -> None:
    core = await core_with(warn="baseline", audit="baseline", audit_version="v1.20")
    calling = await written(core, PODS, pod())
    assert calling.warnings == [f'would violate PodSecurity "baseline:latest": {PRIVILEGED}']
    assert calling.annotations == {
        f"{L}enforce-policy": "privileged:latest",
        f"{L}audit-violations": f'would violate PodSecurity "baseline:v1.20": {PRIVILEGED}',
    }


async def test_templates_are_warned_of_and_let_in() -> None:
    core = await core_with(enforce="baseline")
    calling = await written(core, DEPLOYMENTS, deployment())
    assert calling.warnings == [f'would violate PodSecurity "baseline:latest": {PRIVILEGED}']


async def test_stricter_namespace_is_told_of_its_pods() -> None:
    core = await core_with()
    for name in ("x2", "x1", "ok"):
        await written(core, PODS, pod(name) if name != "ok" else pod(name, privileged=False))
    head = 'existing pods in namespace "ns" violate the new PodSecurity enforce level'
    assert await relabeled(core, enforce="baseline") == [
        f'{head} "baseline:latest"',
        "x1 (and 1 other pod): privileged",
    ]
    assert await relabeled(core, enforce="baseline", enforce_version="v1.20") == [
        f'{head} "baseline:v1.20"',
        "x1 (and 1 other pod): privileged",
    ]
    assert await relabeled(core, enforce="privileged") == []


async def test_pods_that_are_in_may_change_but_not_run_anything_else() -> None:
    core = await core_with()
    await written(core, PODS, pod())
    await relabeled(core, enforce="baseline")
    stored = core.find(PODS, "p", "ns")
    assert stored is not None
    await update(
        call(core, "update", PODS, "p"), {**stored, "metadata": {**stored["metadata"], "labels": {"a": "b"}}}
    )
    stored = core.find(PODS, "p", "ns")
    assert stored is not None
    container = {**stored["spec"]["containers"][0], "image": "other"}
    with pytest.raises(errors.Forbidden, match="violates PodSecurity"):
        await update(
            call(core, "update", PODS, "p"), {**stored, "spec": {**stored["spec"], "containers": [container]}}
        )


async def test_wrong_labels_are_refused() -> None:
    with pytest.raises(errors.Invalid, match="must be one of privileged, baseline, restricted"):
        await core_with(enforce="strict")


@pytest.mark.parametrize(
    "plural",
    ["pods", "namespaces", "replicationcontrollers", "podtemplates", "replicasets", "deployments", "statefulsets",
     "daemonsets", "jobs", "cronjobs"],
)  # fmt: skip
def test_everything_that_makes_pods_is_looked_at(plural: str) -> None:
    chain = default_admission(Rbac(MemoryStore()))
    assert any(isinstance(plugin, PodSecurity) for plugin in chain.plugins_of(plural))
