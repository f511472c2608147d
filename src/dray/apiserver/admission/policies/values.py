"""What the expressions about one write see, by the names they use."""

from typing import Any

from dray.api.meta import Object
from dray.apiserver.admission.policies.evaluation import authorizer_values, namespace_value
from dray.apiserver.admission.view import Form, View
from dray.cel.values.authorization import Ask


def values_of(view: View, form: Form, param: Object | None, *, ask: Ask) -> dict[str, Any]:
    """`ask`: who answers the authorizer's questions."""
    return {
        "object": view.object(form),
        "oldObject": view.old(form),
        "request": view.admission_request(form),
        "params": param,
        "namespaceObject": namespace_value(view.namespace_object()),
        **authorizer_values(
            ask,
            group=view.asked.group,
            resource=view.asked.plural,
            subresource=view.subresource,
            namespace=view.namespace,
            name=view.request.name,
        ),
    }
