"""What kinds that make pods from a template have in common: their selector, how long their pods last, numbers of pods."""

from collections.abc import Mapping
from typing import Any, Final

from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported
from dray.api.meta import Object
from dray.api.selectors import label_selector_of
from dray.api.validation.core.go_numbers import whole_number
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.pod.internal import FORMS

SPEC = Path("spec")

_MISMATCH = "`selector` does not match template `labels`"
_NOT_NEGATIVE = "must be greater than or equal to 0"


def labels_of(template: Object) -> Any:
    """Labels of the pods that a template makes; None where it says nothing of them."""
    return (template.get("metadata") or {}).get("labels")


def is_readable(selector: Object | None) -> bool:
    """Whether a label selector can be applied at all."""
    return not validate_label_selector(selector, SPEC)


def shown_selector(selector: Object | None) -> Any:
    """As messages show it."""
    return FORMS.show("meta", selector)


def check_match(selector: Object | None, template: Object, path: Path) -> list[FieldError]:
    """A selector that can be applied chooses the pods of the template, whose path is given; none chooses nothing."""
    parsed = label_selector_of(selector)
    labels = labels_of(template)
    if parsed is not None and parsed.matches(labels or {}):
        return []
    return [_mismatch(labels, path)]


def check_labels(wanted: Mapping[str, str], template: Object, path: Path) -> list[FieldError]:
    """As `check_match`, of labels that are wanted as they stand, whether or not they can be labels."""
    labels = labels_of(template)
    if wanted.items() <= (labels or {}).items():
        return []
    return [_mismatch(labels, path)]


def _mismatch(labels: Any, path: Path) -> FieldError:
    return invalid(path.child("metadata", "labels"), labels, _MISMATCH)


def check_lasting(template: Object, path: Path, kind: str) -> list[FieldError]:
    """Pods of a workload that lasts are always restarted."""
    spec, at = template.get("spec") or {}, path.child("spec")
    errors: list[FieldError] = []
    policy = spec.get("restartPolicy") or ""
    if policy != "Always":
        errors.append(not_supported(at.child("restartPolicy"), policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden(at.child("activeDeadlineSeconds"), text))
    return errors


def not_negative(part: Object, fields: tuple[str, ...], path: Path = SPEC) -> list[FieldError]:
    """Numbers in `fields`, where there are any, are not below zero."""
    return [
        invalid(path.child(field), part[field], _NOT_NEGATIVE)
        for field in fields
        if part.get(field) is not None and part[field] < 0
    ]


def check_order(part: Object, pairs: Mapping[str, str], path: Path, text: str) -> list[FieldError]:
    """No count is greater than that which `pairs` has for it."""
    return [
        invalid(path.child(field), part.get(field) or 0, text)
        for field, most in pairs.items()
        if (part.get(field) or 0) > (part.get(most) or 0)
    ]


def check_not_decremented(part: Object, before: Object, field: str, path: Path) -> list[FieldError]:
    was, now = before.get(field), part.get(field)
    if was is None or (now is not None and now >= was):
        return []
    return [invalid(path.child(field), now or 0, "cannot be decremented")]


def validate_portion(value: int | str, path: Path) -> list[FieldError]:
    """A number of pods, or a percentage of them."""
    return check_portion(value, path) + check_not_above_all(value, path)


def check_portion(value: int | str, path: Path) -> list[FieldError]:
    """As `validate_portion`, but a percentage may be of any size."""
    if isinstance(value, int):
        return [invalid(path, value, _NOT_NEGATIVE)] if value < 0 else []
    if _is_percentage(value):
        return []
    text = (
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
        "used for validation is '[0-9]+%')"
    )
    return [invalid(path, value, text)]


_HUNDREDTHS: Final = range(101)


def check_not_above_all(value: int | str, path: Path) -> list[FieldError]:
    if isinstance(value, int) or not _is_percentage(value) or whole_number(value[:-1]) in _HUNDREDTHS:
        return []
    return [invalid(path, value, "must not be greater than 100%")]


def portion(value: int | str) -> int:
    """Its number, whether of pods or of hundredths; 0 where it has none."""
    if isinstance(value, int):
        return value
    number = whole_number(value[:-1] if _is_percentage(value) else value)
    return number if isinstance(number, int) else 0


def _is_percentage(text: str) -> bool:
    return text.endswith("%") and text[:-1].isascii() and text[:-1].isdigit()
