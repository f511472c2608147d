"""Admission webhooks over real TLS: what they are asked, what their answers do, and what happens when there is none."""

import asyncio
from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import (
    CONFIG_MAPS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    RESOURCE_CLAIMS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from tests.unit.apiserver.admission.cluster import ALL_WRITES, MAPS, Cluster, judged
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


async def test_the_audit_log_is_told_which_webhook_changed_what(cluster: Cluster, hook: Hook) -> None:
    await hook.register(cluster, MUTATING)
    hook.reply = lambda request: patch_of({"value": "2", "path": "/data/a", "op": "replace"})
    notes = (await judged(cluster)).annotations
    who = '"configuration":"h","webhook":"hook.example.com"'
    operation = '{"op":"replace","path":"/data/a","value":"2"}'
    assert notes == {
        "mutation.webhook.admission.k8s.io/round_0_index_0": f'{{{who},"mutated":true}}',
        "patch.webhook.admission.k8s.io/round_0_index_0": f'{{{who},"patch":[{operation}],"patchType":"JSONPatch"}}',
    }


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
