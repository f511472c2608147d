"""One webhook of a configuration, ready to be matched and called.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/{accessors.go,generic/webhook.go}, 1.36.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dray.api import errors
from dray.api.meta import Object, name_of, uid_of
from dray.api.validation.lists import items_of
from dray.apiserver.admission.matching import BadCriteria, Criteria
from dray.apiserver.admission.view import Form, View

if TYPE_CHECKING:
    from dray.apiserver.admission.conditions import MatchConditions

REVIEW_VERSIONS: Final = ("v1", "v1beta1")
"""Of AdmissionReview, as far as they are spoken here."""
DEFAULT_SECONDS: Final = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Webhook:
    configuration: str
    name: str
    key: str
    """Tells it from every other webhook."""
    client: Mapping[str, Any]
    """clientConfig."""
    criteria: Criteria
    conditions: "MatchConditions | None"
    fails: bool
    """failurePolicy: a write is refused when the webhook cannot be asked."""
    timeout_seconds: int
    allows_dry_run: bool
    """It has no side effects, or none in a dry run."""
    is_reinvoked: bool
    """reinvocationPolicy IfNeeded."""
    review_version: str

    async def match(self, view: View) -> Form | None:
        """The form in which the webhook is asked about the write, or None when it does not care.

        Raises Forbidden when its match conditions cannot tell.
        """
        try:
            form = self.criteria.match(view)
        except BadCriteria as error:
            raise errors.InternalError(f"Internal error occurred: {error}") from None
        if form is None or self.conditions is None:
            return form
        from dray.apiserver.admission.webhooks.conditions import holds

        return form if await holds(self.conditions, view, form) else None


def webhooks_of(configuration: Object) -> list[Webhook]:
    """Of a ValidatingWebhookConfiguration or MutatingWebhookConfiguration, in their order."""
    return [
        _webhook(configuration, index, hook)
        for index, hook in enumerate(items_of(configuration.get("webhooks")))
    ]


def _webhook(configuration: Object, index: int, hook: Object) -> Webhook:
    fails = hook.get("failurePolicy") != "Ignore"
    versions = hook.get("admissionReviewVersions") or ()
    return Webhook(
        configuration=name_of(configuration),
        name=hook.get("name") or "",
        key=f"{uid_of(configuration)}/{hook.get('name')}/{index}",
        client=hook.get("clientConfig") or {},
        criteria=Criteria.of_webhook(hook),
        conditions=_conditions(hook, fails),
        fails=fails,
        timeout_seconds=int(hook.get("timeoutSeconds") or DEFAULT_SECONDS),
        allows_dry_run=hook.get("sideEffects") in ("None", "NoneOnDryRun"),
        is_reinvoked=hook.get("reinvocationPolicy") == "IfNeeded",
        review_version=next((each for each in versions if each in REVIEW_VERSIONS), ""),
    )


def _conditions(hook: Object, fails: bool) -> "MatchConditions | None":
    conditions = items_of(hook.get("matchConditions"))
    if not conditions:
        return None
    # Here: the compiler takes long to import, and most webhooks have no conditions.
    from dray.apiserver.admission.conditions import MatchConditions
    from dray.cel.admission.compiler import Compiler

    return MatchConditions.compile(conditions, Compiler(has_params=False, has_variables=False), fails=fails)
