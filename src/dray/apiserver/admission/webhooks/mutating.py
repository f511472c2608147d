"""Mutating webhooks: asked one after the other, each sees what those before it made of the object.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go, 1.36.
"""

import logging
from collections.abc import Sequence
from typing import Final

import orjson

from dray.api import errors
from dray.api import patch as languages
from dray.api.meta import Object
from dray.api.resources import MUTATING_WEBHOOK_CONFIGURATIONS
from dray.api.schema.inspection import DecodeError
from dray.apiserver.admission.configured import Stored
from dray.apiserver.admission.view import Form, View
from dray.apiserver.admission.webhooks.call import ask
from dray.apiserver.admission.webhooks.client import WebhookClient
from dray.apiserver.admission.webhooks.failures import CallFailed, internal, uncallable
from dray.apiserver.admission.webhooks.webhook import Webhook, webhooks_of
from dray.apiserver.audit.policy import PATCH_NOTES
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.structure import Body, strict_decode
from dray.kits import go_json, klog

log = logging.getLogger("dray.apiserver.admission")

MUTATION: Final = "mutation.webhook.admission.k8s.io/"


class MutatingWebhooks:
    def __init__(self, client: WebhookClient) -> None:
        self._client = client
        self._configured = Stored(MUTATING_WEBHOOK_CONFIGURATIONS, webhooks_of)

    async def validate(self, request: AdmissionRequest) -> None:
        return None

    async def mutate(self, request: AdmissionRequest) -> None:
        configurations = self._configured.current(request.call.core.store)
        if not configurations:
            return
        view = View(request)
        if view.is_exempt:
            return
        rounds = request.reinvocation
        applied = rounds.of("webhooks")
        rounds.begins(applied, request.object)
        webhooks = [webhook for configuration in configurations for webhook in configuration]
        for index, webhook in enumerate(webhooks):
            form = await webhook.match(view)
            if form is None or rounds.skips(applied, webhook.key):
                continue
            if await self._ask(index, webhook, view, form):
                rounds.changed(applied)
            if webhook.is_reinvoked:
                applied.saw(webhook.key)
        rounds.ends(applied, request.object)

    async def _ask(self, index: int, webhook: Webhook, view: View, form: Form) -> bool:
        """Whether the webhook changed the object. Raises its refusal, or a 500 when it cannot be asked."""
        call = view.request.call
        position = f"round_{int(view.request.reinvocation.running)}_index_{index}"
        place = f"{MUTATION}{position}"
        has_changed = False
        try:
            answer = await ask(self._client, webhook, view, form, may_patch=True)
            has_changed = _apply(answer.patch, webhook, view, form)
            if operations := orjson.loads(answer.patch or b"[]"):
                call.annotations.setdefault(f"{PATCH_NOTES}{position}", _patch_note(webhook, operations))
        except CallFailed as failure:
            if webhook.fails:
                raise uncallable(webhook, failure) from None
            log.warning(
                "Failed calling webhook, failing open", extra=klog.kv(webhook=webhook.name, err=failure)
            )
            call.annotations.setdefault(f"failed-open.{place}", webhook.name)
        finally:
            told = {"configuration": webhook.configuration, "webhook": webhook.name, "mutated": has_changed}
            call.annotations.setdefault(place, go_json.encode_text(told))
        return has_changed


def _patch_note(webhook: Webhook, operations: Sequence[Object]) -> str:
    ordered = [dict(sorted(operation.items())) for operation in operations]
    told = {"configuration": webhook.configuration, "webhook": webhook.name}
    return go_json.encode_text({**told, "patch": ordered, "patchType": "JSONPatch"})


def _apply(patch: bytes, webhook: Webhook, view: View, form: Form) -> bool:
    """Put what the patch makes of the object in its place. Raises CallFailed, or a 500 for a patch that does not fit."""
    if not patch:
        return False
    try:
        operations = languages.parse_operations(patch)
    except errors.StatusError as error:
        raise CallFailed(f"received undecodable patch in webhook response: {error}") from None
    if not operations:
        return False
    shown = view.object(form)
    if shown is None:
        name = f'"{webhook.name}"'
        why = f"admission webhook {name} attempted to modify the object, which is not supported for this operation"
        raise internal(why)
    try:
        patched = strict_decode(Body(languages.json_patch(shown, operations)), form.type, None)
    except (languages.PatchError, DecodeError) as error:
        raise internal(error) from None
    has_changed = patched != shown
    view.replace(patched, form)
    return has_changed
