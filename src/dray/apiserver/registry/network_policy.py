"""NetworkPolicy: which traffic pods may have; kept and shown, but nothing here filters."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import NETWORK_POLICIES
from dray.api.validation.core.network_policy import validate_network_policy
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME, find, label_selector
from dray.apiserver.registry.kind import Column, Kind, WriteContext


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for rules in ("ingress", "egress"):
        for rule in items_of(spec.get(rules)):
            for port in rule.get("ports") or ():
                if port.get("protocol") is None:
                    port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_network_policy(obj)


NETWORK_POLICY = Kind(
    NETWORK_POLICIES,
    singular="networkpolicy",
    short_names=("netpol",),
    columns=(
        NAME,
        Column(
            "Pod-Selector",
            lambda obj, now: label_selector(find(obj, "spec", "podSelector")),
            description="Which pods it is about.",
        ),
        AGE,
    ),
    default=_default,
    validate_create=_validate,
    validate_update=_validate,
    has_generation=True,
)
