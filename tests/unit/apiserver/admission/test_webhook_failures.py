"""What happens when a webhook cannot be asked, or does not answer as it must; and how one is reached."""

import asyncio
import base64
from typing import Any

import pytest
from aiohttp import web

from dray.api.resources import (
    ENDPOINT_SLICES,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    NAMESPACES,
    SERVICES,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from dray.apiserver.admission.webhooks import client as calling
from dray.client.protocol import PatchType
from tests.unit.apiserver.admission.cluster import Cluster, judged
from tests.unit.apiserver.admission.conftest import Hook, patch_of

VALIDATING, MUTATING = VALIDATING_WEBHOOK_CONFIGURATIONS, MUTATING_WEBHOOK_CONFIGURATIONS


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


async def test_a_bundle_that_is_none_is_told(cluster: Cluster, hook: Hook) -> None:
    client = {**hook.client(), "caBundle": base64.b64encode(b"nonsense").decode()}
    await hook.register(cluster, VALIDATING, hook.webhook(clientConfig=client))
    assert "unable to load root certificates" in str(await cluster.refusal(cluster.write))
