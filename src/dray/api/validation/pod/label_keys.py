"""Labels whose values a pod's placement takes from the pod itself (matchLabelKeys, mismatchLabelKeys).

Once the pod exists, its selectors have a requirement for each of those labels, which is why a key that a selector had
before is told from one that was added to it by its place.
"""

from collections.abc import Sequence

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_BOTH = "exists in both matchLabelKeys and labelSelector"
_NOWHERE = Path("")


def validate_term_keys(term: Object, path: Path) -> list[FieldError]:
    """Of an affinity term, or of a spread constraint where its keys are merged into the selector."""
    matched, mismatched = (term.get(field) or [] for field in ("matchLabelKeys", "mismatchLabelKeys"))
    selector = term.get("labelSelector")
    errors: list[FieldError] = []
    for field, keys in (("matchLabelKeys", matched), ("mismatchLabelKeys", mismatched)):
        errors += _validate_keys(keys, selector, path.child(field))
    errors += _validate_chosen_twice(matched, selector, path)
    at, excluded = path.child("matchLabelKeys"), set(mismatched)
    return errors + [
        invalid(at.index(index), key, "exists in both matchLabelKeys and mismatchLabelKeys")
        for index, key in enumerate(matched)
        if key in excluded
    ]


def _validate_keys(keys: Sequence[str], selector: Object | None, path: Path) -> list[FieldError]:
    if not keys:
        return []
    if selector is None:
        return [forbidden(path, "must not be specified when labelSelector is not set")]
    return [
        invalid(path.index(index), key, text)
        for index, key in enumerate(keys)
        for text in names.qualified_name(key)
    ]


def _validate_chosen_twice(keys: Sequence[str], selector: Object | None, path: Path) -> list[FieldError]:
    """A key is in the selector once, for it was merged; the second time somebody else chose by it."""
    places = {key: index for index, key in enumerate(keys)}
    chosen = set((selector or {}).get("matchLabels") or {})
    errors: list[FieldError] = []
    for expression in items_of((selector or {}).get("matchExpressions")):
        key = expression.get("key") or ""
        if key in places and key in chosen:
            errors.append(invalid(path.index(places[key]), key, _BOTH))
        chosen.add(key)
    return errors


def validate_unmerged_keys(constraint: Object, path: Path) -> list[FieldError]:
    """Of a spread constraint whose keys are not merged; `path` is that of the keys."""
    keys, selector = constraint.get("matchLabelKeys") or [], constraint.get("labelSelector")
    if not keys:
        return []
    chosen = {
        *((selector or {}).get("matchLabels") or {}),
        *(each.get("key") or "" for each in items_of((selector or {}).get("matchExpressions"))),
    }
    errors: list[FieldError] = []
    if selector is None:
        errors.append(forbidden(path, "must not be specified when labelSelector is not set"))
    for index, key in enumerate(keys):
        errors += [invalid(path.index(index), key, text) for text in names.qualified_name(key)]
        if key in chosen:
            errors.append(invalid(path.index(index), key, _BOTH))
    return errors


def breaks_merged_rule(spec: Object) -> bool:
    """Whether any spread constraint of the spec breaks the rule for merged keys."""
    return any(validate_term_keys(one, _NOWHERE) for one in _constraints(spec))


def breaks_unmerged_rule(spec: Object) -> bool:
    """Whether any spread constraint of the spec breaks the rule for keys that are not merged."""
    return any(validate_unmerged_keys(one, _NOWHERE) for one in _constraints(spec))


def _constraints(spec: Object) -> list[Object]:
    return items_of(spec.get("topologySpreadConstraints"))
