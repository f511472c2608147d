"""NetworkPolicy: which traffic pods may have; kept and shown, but nothing here filters."""

from dray.api.fields import FieldError, Path, not_supported
from dray.api.meta import Object
from dray.api.resources import NETWORK_POLICIES
from dray.api.validation.label_selector import validate_label_selector
from dray.apiserver.registry.columns import AGE, NAME, find, label_selector
from dray.apiserver.registry.kind import Column, Kind, WriteContext

_SPEC = Path("spec")
_TYPES = ("Egress", "Ingress")


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for rules in ("ingress", "egress"):
        for rule in spec.get(rules) or ():
            for port in rule.get("ports") or ():
                if not port.get("protocol"):
                    port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = validate_label_selector(spec.get("podSelector"), _SPEC.child("podSelector"))
    for position, kind in enumerate(spec.get("policyTypes") or ()):
        if kind not in _TYPES:
            errors.append(not_supported(_SPEC.child("policyTypes").index(position), kind, _TYPES))
    return errors


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
