"""What may change of where a pod may run while its scheduling gates are closed: it may be narrowed, never widened."""

from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.internal import FORMS
from dray.api.validation.sameness import same

_SPEC = Path("spec")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def validate_narrowing(spec: Object, before: Object) -> list[FieldError]:
    """`spec` and `before` are the new and the stored spec of a pod with gates."""
    return _validate_selector(spec, before) + _validate_terms(spec, before)


def with_node_affinity_of(spec: Object, before: Object) -> Object:
    """`spec` with the stored node affinity, so that what else changed can be told."""
    affinity, earlier = spec.get("affinity"), before.get("affinity")
    nodes, was = (affinity or {}).get("nodeAffinity"), (earlier or {}).get("nodeAffinity")
    if same(nodes, was):
        return spec
    kept = {field: value for field, value in (affinity or {}).items() if field != "nodeAffinity"}
    if was is not None:
        kept["nodeAffinity"] = was
    rest = {field: value for field, value in spec.items() if field != "affinity"}
    return {**rest, "affinity": kept} if kept or earlier is not None else rest


def _validate_selector(spec: Object, before: Object) -> list[FieldError]:
    selector, earlier = spec.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if all(selector.get(key) == value for key, value in earlier.items()):
        return []
    text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    return [invalid(_SPEC.child("nodeSelector"), spec.get("nodeSelector"), text)]


def _validate_terms(spec: Object, before: Object) -> list[FieldError]:
    """To terms that exist requirements may be added; terms are alternatives, so one more would widen."""
    terms, earlier = _terms(spec), _terms(before)
    at = _SPEC.child("affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms")
    if not earlier:
        return []
    if len(terms) != len(earlier):
        shown = FORMS.show("[]NodeSelectorTerm", _sent_terms(spec))
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(at, shown, text)]
    text = "only additions are allowed (no mutations or deletions)"
    return [
        invalid(at.index(index), FORMS.show("NodeSelectorTerm", new), text)
        for index, (new, old) in enumerate(zip(terms, earlier, strict=True))
        if not _only_adds(new, old)
    ]


def _terms(spec: Object) -> list[Object]:
    return items_of(_sent_terms(spec))


def _sent_terms(spec: Object) -> list[Object] | None:
    nodes = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms: list[Object] | None = (nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms")
    return terms


def _only_adds(new: Object, old: Object) -> bool:
    """An empty term selects no node, and stays empty."""
    fields = ("matchExpressions", "matchFields")
    if not any(old.get(field) for field in fields) and any(new.get(field) for field in fields):
        return False
    for field in fields:
        earlier = old.get(field) or []
        if not same((new.get(field) or [])[: len(earlier)], earlier):
            return False
    return True
