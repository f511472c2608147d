"""Validating webhooks: all that care for a write are asked at once, and each may refuse it.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go, 1.36.
"""

import asyncio
import logging
from typing import Final

from dray.api import errors
from dray.api.resources import VALIDATING_WEBHOOK_CONFIGURATIONS
from dray.apiserver.admission.configured import Stored
from dray.apiserver.admission.view import Form, View
from dray.apiserver.admission.webhooks.call import ask
from dray.apiserver.admission.webhooks.client import WebhookClient
from dray.apiserver.admission.webhooks.failures import CallFailed, uncallable
from dray.apiserver.admission.webhooks.webhook import Webhook, webhooks_of
from dray.apiserver.core import AdmissionRequest
from dray.kits import klog

log = logging.getLogger("dray.apiserver.admission")

FAILED_OPEN: Final = "failed-open.validating.webhook.admission.k8s.io/round_0_index_"


class ValidatingWebhooks:
    def __init__(self, client: WebhookClient) -> None:
        self._client = client
        self._configured = Stored(VALIDATING_WEBHOOK_CONFIGURATIONS, webhooks_of)

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        configurations = self._configured.current(request.call.core.store)
        if not configurations:
            return
        view = View(request)
        if view.is_exempt:
            return
        webhooks = [webhook for configuration in configurations for webhook in configuration]
        matched = [(index, webhook, await webhook.match(view)) for index, webhook in enumerate(webhooks)]
        asked = [
            self._ask(index, webhook, view, form) for index, webhook, form in matched if form is not None
        ]
        refusals = [refusal for refusal in await asyncio.gather(*asked) if refusal is not None]
        if refusals:
            raise refusals[0]

    async def _ask(self, index: int, webhook: Webhook, view: View, form: Form) -> errors.StatusError | None:
        """What the webhook has against the write."""
        try:
            await ask(self._client, webhook, view, form, may_patch=False)
        except CallFailed as failure:
            if webhook.fails:
                return uncallable(webhook, failure)
            log.warning(
                "Failed calling webhook, failing open", extra=klog.kv(webhook=webhook.name, err=failure)
            )
            view.request.call.annotations.setdefault(f"{FAILED_OPEN}{index}", webhook.name)
        except errors.StatusError as refusal:
            return refusal
        return None
