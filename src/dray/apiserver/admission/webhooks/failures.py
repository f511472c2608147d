"""What becomes of a write when a webhook refuses it or cannot be asked.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/errors/statuserror.go, 1.36.
"""

from collections.abc import Mapping
from typing import Any

from dray.api import errors
from dray.api.fields import quote
from dray.apiserver.admission.webhooks.webhook import Webhook


class CallFailed(Exception):
    """The webhook could not be asked, or did not answer as it must; `str()` says why."""


def denied(webhook: Webhook, status: Mapping[str, Any]) -> errors.StatusError:
    """The webhook's own refusal: its code, reason and details, never less than an error."""
    message = f"admission webhook {quote(webhook.name)} denied the request"
    why = status.get("message") or status.get("reason")
    code = status.get("code")
    return errors.StatusError(
        f"{message}: {why}" if why else f"{message} without explanation",
        details=status.get("details"),
        code=code if isinstance(code, int) and code >= 400 else 400,
        reason=status.get("reason") or "",
    )


def uncallable(webhook: Webhook, failure: CallFailed) -> errors.InternalError:
    why = f"failed calling webhook {quote(webhook.name)}: {failure}"
    return errors.InternalError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})


def internal(why: object) -> errors.InternalError:
    return errors.InternalError(
        f"Internal error occurred: {why}", details={"causes": [{"message": str(why)}]}
    )


def no_dry_run(webhook: Webhook) -> errors.BadRequest:
    return errors.BadRequest(f"admission webhook {quote(webhook.name)} does not support dry run")
