"""Nodes: taints, and what an update may change."""

import ipaddress
import re

from dray.api import names
from dray.api.fields import (
    ErrorType,
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    quote,
    required,
)
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.addresses import one_of_each_family
from dray.api.validation.internal_form import InternalForms
from dray.api.validation.lists import items_of, repeated
from dray.api.validation.pod.resources import is_whole

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_FEATURE = re.compile(r"[A-Z][A-Za-z0-9]*(/[A-Za-z0-9]+)*")
_FEATURE_TEXT = (
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or "
    "MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
)
SPEC, STATUS = Path("spec"), Path("status")
# Kubernetes reports taints under metadata.
_TAINTS = Path("metadata.taints")

_FORMS = InternalForms("""
Taint:
  Key key string
  Value value string
  Effect effect string
  TimeAdded timeAdded any
""")


def validate_node(node: Object) -> list[FieldError]:
    spec = node.get("spec") or {}
    errors = _validate_taints(items_of(spec.get("taints")), _TAINTS)
    status = node.get("status") or {}
    errors += _validate_resources(status)
    errors += _validate_features(status.get("declaredFeatures") or [], STATUS.child("declaredFeatures"))
    return errors + _validate_pod_ranges(spec.get("podCIDRs") or [], SPEC.child("podCIDRs"))


def _validate_features(features: list[str], path: Path) -> list[FieldError]:
    """What a kubelet says it can do: names of features, each once, sorted."""
    errors: list[FieldError] = []
    for index, feature in enumerate(features):
        at, before = path.index(index), features[index - 1] if index else None
        if before == feature:
            errors.append(duplicate(at, feature))
        elif before is not None and before > feature:
            errors.append(invalid(at, feature, "list must be sorted alphabetically"))
        if not _FEATURE.fullmatch(feature):
            errors.append(invalid(at, feature, f"invalid feature name {quote(feature)}: {_FEATURE_TEXT}"))
    return errors


def validate_node_update(new: Object, old: Object) -> list[FieldError]:
    """For writes to the node and to its status alike."""
    status = new.get("status") or {}
    errors = _validate_resources(status)
    errors += _validate_features(status.get("declaredFeatures") or [], STATUS.child("declaredFeatures"))
    addresses = [
        (one.get("type") or "", one.get("address") or "") for one in items_of(status.get("addresses"))
    ]
    for index in repeated(addresses):
        kind, address = addresses[index]
        at = STATUS.child("addresses").index(index)
        errors.append(duplicate(at, {"Type": kind, "Address": address}))
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for field, name in (("podCIDRs", "podCIDR"), ("providerID", "providerID")):
        if before.get(field) and spec.get(field) != before.get(field):
            text = f'node updates may not change {name} except from "" to valid'
            errors.append(forbidden(SPEC.child(field), text))
    if (spec.get("externalID") or "") != (before.get("externalID") or ""):
        errors.append(forbidden(SPEC.child("externalID"), "may not be updated"))
    return errors + _validate_taints(items_of(spec.get("taints")), _TAINTS)


def _validate_resources(status: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("capacity", "allocatable"):
        for name, text in (status.get(field) or {}).items():
            amount, at = parse_quantity(text), STATUS.child(field, name)
            if amount.sign() < 0:
                errors.append(invalid(at, str(amount), "must be greater than or equal to 0"))
            if is_whole(name) and not amount.has_whole_thousands():
                errors.append(invalid(at, str(amount), "must be an integer"))
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
    """At most one of each family."""
    text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    errors = [invalid(path.index(index), one, text) for index, one in enumerate(ranges) if not _is_range(one)]
    if len(ranges) < 2:
        return errors
    if not one_of_each_family([one.partition("/")[0] for one in ranges]):
        errors.append(invalid(path, ranges, "may specify no more than one CIDR for each IP family"))
    return errors + [duplicate(path.index(index), ranges[index]) for index in repeated(ranges)]


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
