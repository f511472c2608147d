"""Asking one webhook about one write: the review, the call, the answer, and what of it belongs to everybody."""

import time

from dray.api import errors
from dray.apiserver.admission.view import Form, View
from dray.apiserver.admission.webhooks.client import WebhookClient
from dray.apiserver.admission.webhooks.failures import CallFailed, denied, no_dry_run
from dray.apiserver.admission.webhooks.review import Answer, Question, read_answer
from dray.apiserver.admission.webhooks.webhook import Webhook


async def ask(client: WebhookClient, webhook: Webhook, view: View, form: Form, *, may_patch: bool) -> Answer:
    """The answer of a webhook that allows the write; its warnings and annotations are noted.

    Raises CallFailed, BadRequest for a dry run that it does not take part in, or its refusal.
    """
    metrics, operation = client.metrics, view.request.operation
    if metrics is None:
        return await _ask(client, webhook, view, form, may_patch=may_patch)
    kind, begin, code, failed = "admit" if may_patch else "validating", time.perf_counter(), 200, False
    try:
        return await _ask(client, webhook, view, form, may_patch=may_patch)
    except CallFailed:
        code, failed = 500, True
        if not webhook.fails:
            metrics.opened(webhook.name, kind)
        raise
    except errors.StatusError as error:
        code = error.status_code
        raise
    finally:
        metrics.webhook(webhook.name, operation, kind, time.perf_counter() - begin, code, failed=failed)
        if code >= 400 and (webhook.fails or not failed):
            metrics.refused(webhook.name, operation, kind, code, failed=failed)


async def _ask(client: WebhookClient, webhook: Webhook, view: View, form: Form, *, may_patch: bool) -> Answer:
    call = view.request.call
    if call.dry_run and not webhook.allows_dry_run:
        raise no_dry_run(webhook)
    if not webhook.review_version:
        raise CallFailed(
            "could not create admission objects: webhook does not accept known AdmissionReview versions"
        )
    question = Question.about(view, form, webhook.review_version)
    body = await client.call(call.core, webhook, question.body)
    answer = read_answer(question, body, may_patch=may_patch)
    call.warnings += answer.warnings
    for key, value in answer.annotations.items():
        call.annotations.setdefault(f"{webhook.name}/{key}", value)
    if not answer.allowed:
        raise denied(webhook, answer.status)
    return answer
