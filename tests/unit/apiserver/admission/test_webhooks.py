"""Admission webhooks over real TLS: what they are asked, what their answers do, and what happens when there is none."""

import asyncio
import base64
from typing import Any

import pytest
from aiohttp import web

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    NAMESPACES,
    RESOURCE_CLAIMS,
    SERVICES,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from dray.apiserver.access import AdmissionRequest
from dray.apiserver.admission.webhooks import client as calling
from dray.apiserver.call import Call, WriteOptions
from dray.client.protocol import PatchType
from tests.unit.apiserver.admission.cluster import ALL_WRITES, JANE, MAPS, Cluster
from tests.unit.apiserver.admission.conftest import Hook, patch_of

VALIDATING, MUTATING = VALIDATING_WEBHOOK_CONFIGURATIONS, MUTATING_WEBHOOK_CONFIGURATIONS


async def test_a_webhook_is_asked_with_the_whole_write(cluster: Cluster, hook: Hook) -> None:
    await cluster.write(data={"a": "1"})
    await hook.register(cluster, VALIDATING)
    await cluster.client.patch(CONFIG_MAPS, "m", {"data": {"a": "2"}}, "default")
    (review,) = hook.reviews
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    request = review["request"]
    assert request.pop("uid")
    assert request.pop("object")["data"] == {"a": "2"}
    assert request.pop("oldObject")["data"] == {"a": "1"}
    kind, resource = (
        {"group": "", "version": "v1", "kind": "ConfigMap"},
        {"group": "", "version": "v1", "resource": "configmaps"},
    )
    assert request == {
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "m",
        "namespace": "default",
        "operation": "UPDATE",
        "userInfo": {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]},
        "dryRun": False,
        "options": {
            "kind": "UpdateOptions",
            "apiVersion": "meta.k8s.io/v1",
            "fieldManager": "admin",
            "fieldValidation": "Ignore",
        },
    }


@pytest.mark.parametrize(
    ("status", "message", "code", "reason"),
    [
        ({"message": "no"}, ": no", 400, ""),
        ({"message": "no", "reason": "Forbidden", "code": 403}, ": no", 403, "Forbidden"),
        ({"reason": "Forbidden"}, ": Forbidden", 400, "Forbidden"),
        ({"message": "no", "code": 200}, ": no", 400, ""),
        (None, " without explanation", 400, ""),
    ],
)
async def test_a_refusal_has_the_webhooks_own_words_and_code(
    cluster: Cluster, hook: Hook, status: Any, message: str, code: int, reason: str
) -> None:
    await hook.register(cluster, VALIDATING)
    hook.reply = lambda request: {"allowed": False, "status": status}
    refused = await cluster.refusal(cluster.write)
    assert str(refused) == f'admission webhook "hook.example.com" denied the request{message}'
    assert (refused.status_code, refused.status_reason) == (code, reason)


async def test_what_is_refused_is_not_stored(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING)
    hook.reply = lambda request: {"allowed": False}
    await cluster.refusal(cluster.write)
    with pytest.raises(errors.NotFound):
        await cluster.client.get(CONFIG_MAPS, "m", "default")


async def judged(cluster: Cluster, *, dry_run: bool = False) -> Call:
    """The call of a write that admission has seen, both phases."""
    kind = cluster.server.core.kind_of(CONFIG_MAPS)
    call = Call(
        cluster.server.core, JANE, "create", kind, "v1", "default", options=WriteOptions(dry_run=dry_run)
    )
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
    request = AdmissionRequest(call, "CREATE", obj, None, "m")
    await cluster.server.core.admission.mutate(request)
    await cluster.server.core.admission.validate(request)
    return call


async def test_warnings_go_to_the_client_and_annotations_to_the_audit_log(
    cluster: Cluster, hook: Hook
) -> None:
    await hook.register(cluster, VALIDATING)
    hook.reply = lambda request: {"allowed": True, "warnings": ["old"], "auditAnnotations": {"seen": "yes"}}
    call = await judged(cluster)
    assert call.warnings == ["old"]
    assert call.annotations == {"hook.example.com/seen": "yes"}


async def test_validating_webhooks_are_asked_at_the_same_time(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING, hook.webhook("a.example.com"), hook.webhook("b.example.com"))
    both = asyncio.Barrier(2)

    async def wait() -> dict[str, Any]:
        await both.wait()
        return {"allowed": True}

    hook.reply = lambda request: wait()
    await cluster.write()
    assert len(hook.reviews) == 2


async def test_the_first_configured_refusal_is_told(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING, hook.webhook("a.example.com"), hook.webhook("b.example.com"))
    hook.reply = lambda request: {"allowed": False}
    assert '"a.example.com"' in str(await cluster.refusal(cluster.write))


async def test_a_patch_changes_what_is_stored(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, MUTATING)
    hook.reply = lambda request: patch_of({"op": "add", "path": "/data", "value": {"added": "yes"}})
    stored = await cluster.write()
    assert stored["data"] == {"added": "yes"}


async def test_each_mutating_webhook_sees_what_those_before_it_did(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, MUTATING, hook.webhook("b.example.com"), name="second")
    await hook.register(cluster, MUTATING, hook.webhook("a.example.com"), name="first")

    def count(request: dict[str, Any]) -> dict[str, Any]:
        seen = int(request["object"]["data"]["count"])
        return patch_of({"op": "replace", "path": "/data/count", "value": str(seen + 1)})

    hook.reply = count
    stored = await cluster.write(data={"count": "0"})
    assert stored["data"] == {"count": "2"}


async def test_a_webhook_that_asks_for_it_sees_later_changes(cluster: Cluster, hook: Hook) -> None:
    first = hook.webhook("a.example.com", reinvocationPolicy="IfNeeded")
    await hook.register(cluster, MUTATING, first, hook.webhook("b.example.com"))
    seen: list[dict[str, str]] = []

    def add(request: dict[str, Any]) -> dict[str, Any]:
        data = request["object"].get("data") or {}
        seen.append(data)
        if "late" in data or len(seen) != 2:
            return {"allowed": True}
        return patch_of({"op": "add", "path": "/data/late", "value": "yes"})

    hook.reply = add
    await cluster.write(data={"a": "1"})
    assert seen == [{"a": "1"}, {"a": "1"}, {"a": "1", "late": "yes"}]


async def test_a_change_made_by_a_webhook_is_validated(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, MUTATING)
    labels = {"op": "add", "path": "/metadata/labels", "value": {"a": "not valid!"}}
    hook.reply = lambda request: patch_of(labels)
    assert isinstance(await cluster.refusal(cluster.write), errors.Invalid)


@pytest.mark.parametrize("field", ["name", "namespace"])
async def test_a_webhook_cannot_move_an_object(cluster: Cluster, hook: Hook, field: str) -> None:
    await cluster.write()
    updates = {**MAPS, "operations": ["UPDATE"]}
    await hook.register(cluster, MUTATING, hook.webhook(rules=[updates]))
    hook.reply = lambda request: patch_of({"op": "add", "path": f"/metadata/{field}", "value": "elsewhere"})
    patch = {"data": {"a": "b"}}
    refused = await cluster.refusal(lambda: cluster.client.patch(CONFIG_MAPS, "m", patch, "default"))
    assert f"metadata.{field}: Invalid value" in str(refused)


async def test_a_webhook_cannot_make_an_object_somewhere_else(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, MUTATING)
    hook.reply = lambda request: patch_of({"op": "add", "path": "/metadata/namespace", "value": "elsewhere"})
    assert isinstance(await cluster.refusal(cluster.write), errors.BadRequest)


async def test_validating_webhooks_and_policies_see_what_mutating_ones_made(
    cluster: Cluster, hook: Hook
) -> None:
    await hook.register(cluster, MUTATING, hook.webhook("m.example.com"))
    await hook.register(cluster, VALIDATING, hook.webhook("v.example.com"))
    await cluster.policy(validations=[{"expression": "object.data.added == 'yes'"}])
    answers = iter([patch_of({"op": "add", "path": "/data", "value": {"added": "yes"}}), {"allowed": True}])
    hook.reply = lambda request: next(answers)
    await cluster.write()
    assert hook.reviews[1]["request"]["object"]["data"] == {"added": "yes"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"patch": "W10="}, "webhook returned response.patch but not response.patchType"),
        ({"patchType": "JSONPatch"}, "webhook returned response.patchType but not response.patch"),
        ({"uid": "other"}, "expected response.uid="),
    ],
)
async def test_an_answer_that_breaks_the_protocol_counts_as_no_answer(
    cluster: Cluster, hook: Hook, answer: Any, why: str
) -> None:
    await hook.register(cluster, MUTATING)
    hook.reply = lambda request: {"allowed": True, **answer}
    refused = await cluster.refusal(cluster.write)
    start = 'Internal error occurred: failed calling webhook "hook.example.com": received invalid webhook response: '
    assert str(refused).startswith(start + why)
    assert refused.status_code == 500


async def test_a_validating_webhook_may_not_patch(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING)
    hook.reply = lambda request: patch_of({"op": "remove", "path": "/data"})
    assert "validating webhook may not return response.patch" in str(await cluster.refusal(cluster.write))


async def test_a_patch_that_does_not_apply_is_the_servers_error(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, MUTATING)
    hook.reply = lambda request: patch_of({"op": "remove", "path": "/data/absent"})
    assert (await cluster.refusal(cluster.write)).status_code == 500


async def test_a_webhook_that_cannot_be_asked_refuses_unless_its_failures_are_ignored(
    cluster: Cluster, hook: Hook
) -> None:
    client = {**hook.client(), "url": "https://localhost:1/review"}
    await hook.register(cluster, VALIDATING, hook.webhook(clientConfig=client))
    refused = await cluster.refusal(cluster.write)
    assert str(refused) == (
        'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: '
        'Post "https://localhost:1/review?timeout=10s": dial tcp localhost:1: connect: connection refused'
    )
    patch = {"webhooks": [{"name": "hook.example.com", "failurePolicy": "Ignore"}]}
    await cluster.client.patch(VALIDATING, "h", patch, patch_type=PatchType.STRATEGIC)
    call = await judged(cluster)
    noted = "failed-open.validating.webhook.admission.k8s.io/round_0_index_0"
    assert call.annotations == {noted: "hook.example.com"}


async def test_a_slow_webhook_has_as_long_as_it_was_given(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING, hook.webhook(timeoutSeconds=1))
    never = asyncio.Event()

    async def wait() -> dict[str, Any]:
        await never.wait()
        return {"allowed": True}

    hook.reply = lambda request: wait()
    writing = asyncio.create_task(cluster.refusal(cluster.write))
    await asyncio.sleep(0)
    # Nobody else waits meanwhile.
    await cluster.client.create(NAMESPACES, {"metadata": {"name": "other"}})
    assert not writing.done()
    assert str(await writing).endswith('review?timeout=1s": context deadline exceeded')
    never.set()


async def test_a_connection_that_is_gone_is_made_anew(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING)
    await cluster.write("first")
    await cluster.write("second")
    assert len(set(hook.connections)) == 1
    hook.drops = 1
    await cluster.write("third")
    assert len(set(hook.connections)) == 2


async def test_an_answer_may_not_be_larger_than_a_request(
    cluster: Cluster, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "MAX_ANSWER_BYTES", 1000)
    await hook.register(cluster, VALIDATING)
    hook.reply = lambda request: {"allowed": True, "warnings": ["x" * 1000]}
    refused = await cluster.refusal(cluster.write)
    assert str(refused).endswith("failed to call webhook: the answer has more than 1000 bytes")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: web.Response(status=404), "the server could not find the requested resource"),
        (
            lambda: web.Response(status=500, text="broken"),
            'an error on the server ("broken") has prevented the request from succeeding',
        ),
        (lambda: web.Response(text="hello"), "couldn't get version/kind; json parse error: "),
    ],
)
async def test_other_answers_than_reviews_are_told_as_failures(
    cluster: Cluster, hook: Hook, answer: Any, why: str
) -> None:
    await hook.register(cluster, VALIDATING)
    hook.reply = lambda request: answer()
    assert f"failed to call webhook: {why}" in str(await cluster.refusal(cluster.write))


async def test_a_certificate_that_the_bundle_does_not_vouch_for_is_not_trusted(
    cluster: Cluster, hook: Hook
) -> None:
    client = {"url": f"https://localhost:{hook.port}/review"}
    await hook.register(cluster, VALIDATING, hook.webhook(clientConfig=client))
    refused = await cluster.refusal(cluster.write)
    assert str(refused).endswith(
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    )
    assert hook.reviews == []


async def test_a_certificate_for_another_name_is_not_trusted(cluster: Cluster, hook: Hook) -> None:
    await _service(cluster, hook, name="other")
    await hook.register(cluster, VALIDATING, _by_service(hook, "other"))
    assert "failed to verify certificate" in str(await cluster.refusal(cluster.write))


def _by_service(hook: Hook, name: str = "hook") -> dict[str, Any]:
    service = {"name": name, "namespace": "default", "path": "/review"}
    return hook.webhook(clientConfig={"service": service, "caBundle": hook.bundle})


async def _service(cluster: Cluster, hook: Hook, name: str = "hook") -> None:
    """A service whose one endpoint was written down by hand."""
    service = {"metadata": {"name": name}, "spec": {"ports": [{"port": 443, "targetPort": hook.port}]}}
    await cluster.client.create(SERVICES, service, "default")
    endpoints = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": hook.port}],
        "endpoints": [{"addresses": ["127.0.0.1"]}],
    }
    await cluster.client.create(ENDPOINT_SLICES, endpoints, "default")


async def test_a_webhook_behind_a_service_is_reached_at_its_endpoint(cluster: Cluster, hook: Hook) -> None:
    await _service(cluster, hook)
    await hook.register(cluster, VALIDATING, _by_service(hook))
    await cluster.write()
    assert len(hook.reviews) == 1


async def test_a_service_without_a_pod_that_is_ready_has_no_endpoints(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING, _by_service(hook))
    head = 'failed to call webhook: Post "https://hook.default.svc:443/review?timeout=10s": '
    assert f'{head}service "hook" not found' in str(await cluster.refusal(cluster.write))
    service = {"metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443}]}}
    await cluster.client.create(SERVICES, service, "default")
    assert f'{head}no endpoints available for service "hook"' in str(await cluster.refusal(cluster.write))


async def test_a_dry_run_asks_only_webhooks_without_side_effects(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING)
    await judged(cluster, dry_run=True)
    assert hook.reviews[0]["request"]["dryRun"] is True
    # What was accepted when it was allowed stays; only new ones must say that they have none.
    record = cluster.server.core.store.get(VALIDATING.qualified, "h")
    assert record is not None
    record.obj["webhooks"][0]["sideEffects"] = "Some"
    cluster.server.core.admission = _fresh(cluster)
    with pytest.raises(
        errors.BadRequest, match=r'admission webhook "hook\.example\.com" does not support dry run'
    ):
        await judged(cluster, dry_run=True)


def _fresh(cluster: Cluster) -> Any:
    from dray.apiserver.admission.chain import default_admission
    from dray.apiserver.authorization.rbac import Rbac

    return default_admission(Rbac(cluster.server.core.store))


async def test_match_conditions_decide_who_is_asked(cluster: Cluster, hook: Hook) -> None:
    conditions = [{"name": "not-jane", "expression": "request.userInfo.username != 'jane'"}]
    await hook.register(cluster, VALIDATING, hook.webhook(matchConditions=conditions))
    await judged(cluster)
    assert hook.reviews == []
    await cluster.write()
    assert len(hook.reviews) == 1


async def test_a_condition_that_fails_is_a_403(cluster: Cluster, hook: Hook) -> None:
    conditions = [{"name": "fails", "expression": "object.data.absent == ''"}]
    await hook.register(cluster, VALIDATING, hook.webhook(matchConditions=conditions))
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "1"}))
    assert str(refused) == (
        "configmaps \"m\" is forbidden: expression 'object.data.absent == ''' resulted in error: no such key: absent"
    )


async def test_a_webhook_about_another_version_patches_the_object_in_that_version(
    cluster: Cluster, hook: Hook
) -> None:
    claims = {
        "apiGroups": ["resource.k8s.io"],
        "apiVersions": ["v1beta1"],
        "operations": ["CREATE"],
        "resources": ["resourceclaims"],
    }
    await hook.register(cluster, MUTATING, hook.webhook(rules=[claims]))
    path = "/spec/devices/requests/0/deviceClassName"
    hook.reply = lambda request: patch_of({"op": "replace", "path": path, "value": "other.example.com"})
    request = {"name": "r", "exactly": {"deviceClassName": "gpu.example.com"}}
    claim = {"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}}
    stored = await cluster.client.create(RESOURCE_CLAIMS, claim, "default")
    assert stored["spec"]["devices"]["requests"][0]["exactly"]["deviceClassName"] == "other.example.com"
    assert hook.reviews[0]["request"]["kind"]["version"] == "v1beta1"
    assert hook.reviews[0]["request"]["requestKind"]["version"] == "v1"


async def test_webhooks_are_never_asked_about_webhooks(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, VALIDATING, hook.webhook(rules=[ALL_WRITES]))
    hook.reply = lambda request: {"allowed": False}
    await cluster.client.delete(VALIDATING, "h")
    assert hook.reviews == []


async def test_a_deletion_is_asked_about_and_cannot_be_patched(cluster: Cluster, hook: Hook) -> None:
    await cluster.write(data={"a": "1"})
    await hook.register(cluster, MUTATING, hook.webhook(rules=[{**MAPS, "operations": ["DELETE"]}]))
    hook.reply = lambda request: patch_of({"op": "remove", "path": "/data"})
    refused = await cluster.refusal(lambda: cluster.client.delete(CONFIG_MAPS, "m", "default"))
    assert "attempted to modify the object, which is not supported for this operation" in str(refused)
    request = hook.reviews[0]["request"]
    assert request["object"] is None
    assert request["oldObject"]["data"] == {"a": "1"}
    assert request["options"]["kind"] == "DeleteOptions"


async def test_a_bundle_that_is_none_is_told(cluster: Cluster, hook: Hook) -> None:
    client = {**hook.client(), "caBundle": base64.b64encode(b"nonsense").decode()}
    await hook.register(cluster, VALIDATING, hook.webhook(clientConfig=client))
    assert "unable to load root certificates" in str(await cluster.refusal(cluster.write))
