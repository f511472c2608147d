"""Node selectors as slices use them: does this node match, and what is wrong with a selector that cannot be read.

Decides over labels and `metadata.name` only. Error texts are Kubernetes' own, including Go's rendering of the
selector, since a broken selector fails a whole scheduling attempt with that text.
Source: component-helpers `nodeaffinity` and `labels.NewRequirement`, Kubernetes 1.36.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dray.api.fields import ErrorType, FieldError, Path, invalid
from dray.api.meta import Object, labels_of, name_of
from dray.api.names import label_value, qualified_name

_FIELD_OPERATORS = ("In", "NotIn")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_INTEGER = re.compile(r"[+-]?[0-9]+")


class InvalidNodeSelector(ValueError):
    """The selector cannot be evaluated; `str()` is upstream's text."""


class NodeSelector:
    """A parsed selector: terms are alternatives, the requirements of a term must all hold."""

    __slots__ = ("_terms",)

    def __init__(self, terms: Sequence[Object]) -> None:
        self._terms = terms

    def matches(self, node: Object) -> bool:
        """Whether any term holds for `node`; a term without requirements never does."""
        labels = labels_of(node)
        fields = {"metadata.name": name_of(node)}
        return any(_term_matches(term, labels, fields) for term in self._terms)


def parse_node_selector(selector: Object) -> NodeSelector:
    """Check every requirement, so that `matches` cannot fail.

    Raises: InvalidNodeSelector, listing everything that is wrong.
    """
    errors: list[FieldError] = []
    for i, term in enumerate(_terms_of(selector)):
        path = Path(f"nodeSelectorTerms[{i}]")
        for j, requirement in enumerate(term.get("matchExpressions") or ()):
            errors += _label_errors(path.child("matchExpressions").index(j), requirement)
        for j, requirement in enumerate(term.get("matchFields") or ()):
            errors += _field_errors(path.child("matchFields").index(j), requirement)
    if errors:
        texts = list(dict.fromkeys(map(str, errors)))
        cause = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        raise InvalidNodeSelector(f"failed to parse node selector {go_string(selector)}: {cause}")
    return NodeSelector(_terms_of(selector))


def go_string(selector: Object) -> str:
    """The selector as Go's generated `String()` prints it."""
    terms = "".join(
        f"NodeSelectorTerm{{MatchExpressions:{_go_requirements(term.get('matchExpressions'))},"
        f"MatchFields:{_go_requirements(term.get('matchFields'))},}},"
        for term in _terms_of(selector)
    )
    return f"&NodeSelector{{NodeSelectorTerms:[]NodeSelectorTerm{{{terms}}},}}"


def _go_requirements(requirements: Sequence[Object] | None) -> str:
    shown = "".join(
        f"NodeSelectorRequirement{{Key:{item.get('key', '')},Operator:{item.get('operator', '')},"
        f"Values:[{' '.join(item.get('values') or ())}],}},"
        for item in requirements or ()
    )
    return f"[]NodeSelectorRequirement{{{shown}}}"


def _terms_of(selector: Object) -> Sequence[Object]:
    return selector.get("nodeSelectorTerms") or ()


def _label_errors(path: Path, requirement: Object) -> list[FieldError]:
    key, operator = requirement.get("key", ""), requirement.get("operator", "")
    given: Sequence[str] | None = requirement.get("values")
    values = given or ()
    if operator not in _OPERATORS:
        return [_unsupported(path, operator, _OPERATORS)]
    errors = [invalid(path.child("key"), key, "; ".join(wrong)) for wrong in (qualified_name(key),) if wrong]
    at = path.child("values")
    match operator:
        case "In" | "NotIn" if not values:
            errors.append(invalid(at, given, "for 'in', 'notin' operators, values set can't be empty"))
        case "Exists" | "DoesNotExist" if values:
            errors.append(invalid(at, given, "values set must be empty for exists and does not exist"))
        case "Gt" | "Lt":
            errors += _bound_errors(at, given)
    for i, value in enumerate(values):
        if wrong := label_value(value):
            errors.append(invalid(at.index(i).key(key), value, "; ".join(wrong)))
    return errors


def _unsupported(path: Path, operator: str, operators: Sequence[str]) -> FieldError:
    # Upstream lists these in the order of declaration, not sorted as elsewhere.
    supported = ", ".join(f'"{name}"' for name in operators)
    where = str(path.child("operator"))
    return FieldError(ErrorType.NOT_SUPPORTED, where, operator, f"supported values: {supported}")


def _bound_errors(at: Path, given: Sequence[str] | None) -> list[FieldError]:
    errors, values = [], given or ()
    if len(values) != 1:
        errors.append(invalid(at, given, "for 'Gt', 'Lt' operators, exactly one value is required"))
    for i, value in enumerate(values):
        if _integer(value) is None:
            errors.append(
                invalid(at.index(i), value, "for 'Gt', 'Lt' operators, the value must be an integer")
            )
    return errors


def _field_errors(path: Path, requirement: Object) -> list[FieldError]:
    operator, values = requirement.get("operator", ""), requirement.get("values")
    if operator not in _FIELD_OPERATORS:
        return [_unsupported(path, operator, _FIELD_OPERATORS)]
    if len(values or ()) != 1:
        return [invalid(path.child("values"), values, "must have one element")]
    return []


def _term_matches(term: Object, labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
    expressions, field_items = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not field_items:
        return False
    return all(_holds(item, labels) for item in expressions) and all(
        _holds(item, fields) for item in field_items
    )


def _holds(requirement: Object, values: Mapping[str, str]) -> bool:
    operator: str = requirement["operator"]
    wanted: Sequence[Any] = requirement.get("values") or ()
    actual = values.get(requirement["key"])
    match operator:
        case "In":
            return actual is not None and actual in wanted
        case "NotIn":
            return actual is None or actual not in wanted
        case "Exists":
            return actual is not None
        case "DoesNotExist":
            return actual is None
    number, bound = _integer(actual or ""), _integer(wanted[0])
    if number is None or bound is None:
        return False
    return number > bound if operator == "Gt" else number < bound


def _integer(text: str) -> int | None:
    """An int64 as Go's ParseInt reads it."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
