"""Nodes: taints, and what an update may change."""

import ipaddress

from dray.api import names
from dray.api.fields import ErrorType, FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.internal_form import InternalForms
from dray.api.validation.lists import items_of

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
SPEC = Path("spec")

_FORMS = InternalForms("""
Taint:
  Key key string
  Value value string
  Effect effect string
  TimeAdded timeAdded any
""")


def validate_node(node: Object) -> list[FieldError]:
    spec = node.get("spec") or {}
    # Kubernetes reports taints under metadata.
    errors = _validate_taints(items_of(spec.get("taints")), Path("metadata.taints"))
    return errors + _validate_pod_ranges(spec.get("podCIDRs") or [], SPEC.child("podCIDRs"))


def validate_node_update(new: Object, old: Object) -> list[FieldError]:
    """For writes to the node and to its status alike."""
    errors = validate_node(new)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if before.get("podCIDRs") and spec.get("podCIDRs") != before.get("podCIDRs"):
        text = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden(SPEC.child("podCIDRs"), text))
    if before.get("providerID") and spec.get("providerID") != before.get("providerID"):
        text = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden(SPEC.child("providerID"), text))
    return errors


def _validate_taints(taints: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = path.index(index)
        errors += _validate_taint(taint, at)
        pair = (taint.get("key") or "", taint.get("effect") or "")
        if pair in seen:
            text = "taints must be unique by key and effect pair"
            errors.append(FieldError(ErrorType.DUPLICATE, str(at), _FORMS.show("Taint", taint), text))
        seen.add(pair)
    return errors


def _validate_taint(taint: Object, path: Path) -> list[FieldError]:
    key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
    errors = [invalid(path.child("key"), key, text) for text in names.qualified_name(key)]
    if complaints := names.label_value(value):
        errors.append(invalid(path.child("value"), value, ";".join(complaints)))
    if not effect:
        errors.append(required(path.child("effect")))
    elif effect not in TAINT_EFFECTS:
        errors.append(not_supported(path.child("effect"), effect, TAINT_EFFECTS, in_order=True))
    return errors


def _validate_pod_ranges(ranges: list[str], path: Path) -> list[FieldError]:
    text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return [invalid(path.index(index), one, text) for index, one in enumerate(ranges) if not _is_range(one)]


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
