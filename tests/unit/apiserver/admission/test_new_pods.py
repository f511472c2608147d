"""What every new pod is given: its account and token, its priority; and in which order it is refused."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import PODS, PRIORITY_CLASSES, SERVICE_ACCOUNTS
from dray.apiserver.bootstrap import bootstrap
from tests.unit.apiserver.admission.cluster import Cluster

TOKEN = {"serviceAccountToken": {"path": "token"}}


def _pod(**spec: Any) -> Object:
    whole = {"containers": [{"name": "c", "image": "busybox"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": whole}


async def _with_account(cluster: Cluster) -> None:
    await bootstrap(cluster.server.core, cluster.client)
    await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")


async def test_a_volume_that_is_named_as_one_of_tokens_is_mounted_as_one(cluster: Cluster) -> None:
    await _with_account(cluster)
    own = {"name": "kube-api-access-own", "projected": {"sources": [TOKEN]}}
    pod = await cluster.client.create(PODS, _pod(volumes=[own]), "default")
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["kube-api-access-own"]
    (mount,) = pod["spec"]["containers"][0]["volumeMounts"]
    assert mount["name"] == "kube-api-access-own"


async def test_a_pod_keeps_its_priority_when_a_write_leaves_it_out(cluster: Cluster) -> None:
    await _with_account(cluster)
    pod = await cluster.client.create(PODS, _pod(priorityClassName="system-node-critical"), "default")
    spec = {key: value for key, value in pod["spec"].items() if key not in ("priority", "preemptionPolicy")}
    kept = await cluster.client.update(PODS, {**pod, "spec": spec})
    assert (kept["spec"]["priority"], kept["spec"]["preemptionPolicy"]) == (
        2000001000,
        "PreemptLowerPriority",
    )


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"serviceAccountName": "none", "priorityClassName": "none", "runtimeClassName": "none"},
            'error looking up service account default/none: serviceaccount "none" not found',
        ),
        (
            {"priorityClassName": "none", "runtimeClassName": "none"},
            "no PriorityClass with name none was found",
        ),
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ],
)
async def test_of_several_things_missing_the_first_is_told(cluster: Cluster, spec: Object, why: str) -> None:
    await _with_account(cluster)
    with pytest.raises(errors.Forbidden) as refused:
        await cluster.client.create(PODS, _pod(**spec), "default")
    assert str(refused.value) == f'pods "p" is forbidden: {why}'


async def test_one_priority_class_is_the_default(cluster: Cluster) -> None:
    first = await cluster.client.create(
        PRIORITY_CLASSES, {"metadata": {"name": "a"}, "value": 1, "globalDefault": True}
    )
    await cluster.client.update(PRIORITY_CLASSES, {**first, "description": "still"})
    await cluster.client.create(PRIORITY_CLASSES, {"metadata": {"name": "b"}, "value": 1})
    for name, write in (
        ("c", cluster.client.create(PRIORITY_CLASSES, {**_CLASS, "metadata": {"name": "c"}})),
        ("b", cluster.client.patch(PRIORITY_CLASSES, "b", {"globalDefault": True})),
    ):
        with pytest.raises(errors.Forbidden) as refused:
            await write
        assert str(refused.value) == (
            f'priorityclasses.scheduling.k8s.io "{name}" is forbidden: '
            "PriorityClass a is already marked as default. Only one default can exist"
        )


_CLASS = {"value": 2, "globalDefault": True}


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ({"image": {"reference": "a/b"}}, {"pullPolicy": "Always"}),
        ({"image": {"reference": "a/b:1"}}, {"pullPolicy": "IfNotPresent"}),
        (
            {"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:b", "lun": 0}},
            {"iscsiInterface": "default"},
        ),
    ],
)
async def test_volumes_are_filled_in(cluster: Cluster, source: Object, filled: Object) -> None:
    await _with_account(cluster)
    pod = await cluster.client.create(PODS, _pod(volumes=[{"name": "v", **source}]), "default")
    ((name, given),) = source.items()
    assert pod["spec"]["volumes"][0][name] == {**given, **filled}
