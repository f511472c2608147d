"""Every way to change something goes through admission: deletions, scales, posted subresources, events of both groups."""

import json
import pathlib
from typing import Any

import aiohttp
import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    DEPLOYMENTS,
    EVENTS_V1,
    PODS,
    RESOURCE_SLICES,
    SERVICE_ACCOUNTS,
)
from dray.apiserver.audit.events import Auditor
from dray.apiserver.audit.log import AuditLog
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.registry.kind import User
from dray.kits.clock import SystemClock
from tests.unit.apiserver.admission.cluster import MAPS, Cluster, new_cluster, rule

KUBELET = User("system:node:n1", ("system:nodes", "system:authenticated"))


def _slice(node: str) -> Object:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "gpu.example.com", "pool": pool, "nodeName": node, "devices": [{"name": "gpu-0"}]}
    return {"metadata": {"name": f"slice-{node}"}, "spec": spec}


def _pod(node: str, account: str = "default") -> Object:
    spec = {
        "nodeName": node,
        "serviceAccountName": account,
        "containers": [{"name": "c", "image": "busybox"}],
    }
    return {"metadata": {"name": f"pod-{node}"}, "spec": spec}


async def test_a_kubelet_deletes_slices_of_its_own_node_only(cluster: Cluster) -> None:
    await bootstrap(cluster.server.core, cluster.client)
    for node in ("n1", "n2"):
        await cluster.client.create(RESOURCE_SLICES, _slice(node))
    kubelet = cluster.acting_as(KUBELET)
    await kubelet.delete(RESOURCE_SLICES, "slice-n1")
    with pytest.raises(errors.Forbidden):
        await kubelet.delete(RESOURCE_SLICES, "slice-n2")


async def test_a_kubelet_asks_for_tokens_of_pods_on_its_node_only(cluster: Cluster) -> None:
    await bootstrap(cluster.server.core, cluster.client)
    await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    await cluster.client.create(PODS, _pod("n1"), "default")
    pod = await cluster.client.create(PODS, _pod("n2"), "default")
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "pod-n2", "uid": pod["metadata"]["uid"]}
    request = {"spec": {"boundObjectRef": bound}}
    kubelet = cluster.acting_as(KUBELET)
    with pytest.raises(errors.Forbidden, match="pod scheduled on a different node"):
        await kubelet.create(SERVICE_ACCOUNTS, request, "default", name="default", subresource="token")


async def test_the_scale_of_an_object_is_judged_as_a_scale(cluster: Cluster) -> None:
    scales = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["deployments/scale"],
    }
    await cluster.policy(
        match={"resourceRules": [scales]},
        validations=[
            rule(
                "object.spec.replicas < 5",
                messageExpression="object.kind + ' from ' + string(oldObject.spec.replicas)",
            )
        ],
    )
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    await cluster.client.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec}, "default")

    async def scale(count: int) -> Object:
        patch = {"spec": {"replicas": count}}
        return await cluster.client.patch(DEPLOYMENTS, "web", patch, "default", subresource="scale")

    await scale(4)
    refused = await cluster.refusal(lambda: scale(5))
    assert str(refused).endswith("denied request: Scale from 4")


async def test_an_event_of_the_newer_group_is_an_event_of_the_core(cluster: Cluster) -> None:
    events = {**MAPS, "resources": ["events"]}
    message = "object.apiVersion + ' ' + object.involvedObject.name + ' ' + request.requestResource.group"
    await cluster.policy(
        match={"resourceRules": [events]}, validations=[rule("false", messageExpression=message)]
    )
    event: dict[str, Any] = {
        "metadata": {"name": "e"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/c",
        "reportingInstance": "i",
        "action": "Act",
        "reason": "Because",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "x", "namespace": "default"},
    }
    refused = await cluster.refusal(lambda: cluster.client.create(EVENTS_V1, event, "default"))
    assert str(refused).endswith("denied request: v1 x events.k8s.io")


async def test_warnings_and_annotations_reach_client_and_audit_log(tmp_path: pathlib.Path) -> None:
    audit = AuditLog(tmp_path / "audit.log", SystemClock())
    async with new_cluster(audit=Auditor(audit, SystemClock())) as cluster:
        actions = {"validationActions": ["Warn", "Audit"]}
        await cluster.policy(bind=actions, validations=[rule("false", message='not "so"')])
        await cluster.server.start()
        url = f"http://{cluster.server.address}/api/v1/namespaces/default/configmaps"
        body = {"metadata": {"name": "m"}}
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
            assert answer.status == 201
            warning = answer.headers["Warning"]
    audit.close()
    what = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': not \\\"so\\\""
    assert warning == f'299 - "{what}"'
    (event,) = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    (failure,) = json.loads(event["annotations"]["validation.policy.admission.k8s.io/validation_failure"])
    assert failure["message"] == 'not "so"'
