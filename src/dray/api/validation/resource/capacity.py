"""How much of a device may be taken at a time: the request policy of a capacity.

Quantities are compared as whole numbers, rounded up, as Kubernetes 1.36 does; the steps it divides by are refused
here when they are zero, where 1.36 panics.
"""

from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, required, too_many
from dray.api.meta import Object
from dray.api.quantity import Quantity, parse_quantity
from dray.api.validation.lists import repeated

VALID_VALUES_MAX = 10


def validate_capacity(capacity: Object, path: Path, *, shared: bool) -> list[FieldError]:
    """`shared`: the device allows multiple allocations, without which a policy means nothing."""
    policy = capacity.get("requestPolicy")
    if policy is None:
        return []
    at = path.child("requestPolicy")
    if not shared:
        return [forbidden(at, "allowMultipleAllocations must be true")]
    total = parse_quantity(capacity.get("value") or "0")
    default = policy.get("default")
    values, bounds = policy.get("validValues") or [], policy.get("validRange")
    if values and bounds is not None:
        text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [forbidden(at, text)]
    if values:
        return _validate_values(default, [parse_quantity(value) for value in values], total, at)
    if bounds is not None:
        return _validate_range(default, bounds, total, at)
    return []


def _validate_values(
    default: str | None, values: list[Quantity], total: Quantity, path: Path
) -> list[FieldError]:
    at = path.child("validValues")
    errors: list[FieldError] = []
    if default is None:
        errors.append(required(path.child("default"), "required when validValues is defined"))
    if len(values) > VALID_VALUES_MAX:
        return [*errors, too_many(at, len(values), VALID_VALUES_MAX)]
    for index in range(1, len(values)):
        if values[index] < values[index - 1]:
            text = "values must be sorted in ascending order"
            errors.append(invalid(at.index(index), str(values[index]), text))
    clashes = set(repeated(value.value() for value in values))
    for index, value in enumerate(values):
        if value > total:
            text = f"option is larger than capacity value: {total}"
            errors.append(invalid(at.index(index), str(value), text))
        if index in clashes:
            errors.append(duplicate(at.index(index), str(value.value())))
    if default is not None and parse_quantity(default).value() not in {value.value() for value in values}:
        text = "default value is not valid according to the requestPolicy"
        errors.append(invalid(at, str(default), text))
    return errors


def _validate_range(default: str | None, bounds: Object, total: Quantity, path: Path) -> list[FieldError]:
    at = path.child("validRange")
    errors: list[FieldError] = []
    if default is None:
        errors.append(required(path.child("default"), "required when validRange is defined"))
    low = _quantity(bounds.get("min"))
    if low is None:
        return [*errors, required(at.child("min"), "required when validRange is defined")]
    chosen, high, step = _quantity(default), _quantity(bounds.get("max")), _quantity(bounds.get("step"))
    if low.value() > total.value():
        text = f"min is larger than capacity value: {total}"
        errors.append(invalid(at.child("min"), str(low), text))
    if chosen is not None and chosen.value() < low.value():
        errors.append(invalid(at.child("min"), str(chosen), f"default is less than min: {low}"))
    if high is not None:
        errors += _validate_high(chosen, low, high, total, at.child("max"))
    if step is not None:
        errors += _validate_step(step, low, (chosen, high), total, at.child("step"))
    return errors


def _validate_high(
    chosen: Quantity | None, low: Quantity, high: Quantity, total: Quantity, path: Path
) -> list[FieldError]:
    errors: list[FieldError] = []
    if low.value() > high.value():
        errors.append(invalid(path, str(low), f"min is larger than max: {high}"))
    if high.value() > total.value():
        errors.append(invalid(path, str(high), f"max is larger than capacity value: {total}"))
    if chosen is not None and chosen.value() > high.value():
        errors.append(invalid(path, str(chosen), f"default is more than max: {high}"))
    return errors


def _validate_step(
    step: Quantity,
    low: Quantity,
    stops: tuple[Quantity | None, Quantity | None],
    total: Quantity,
    path: Path,
) -> list[FieldError]:
    """`stops` are the default and the maximum: both must be a whole number of steps above the minimum."""
    size, base = step.value(), low.value()
    if size <= 0:
        return [invalid(path, str(step), "must be greater than zero")]
    errors: list[FieldError] = []
    if base + size > total.value():
        text = f"one step {low + step} is larger than capacity value: {total}"
        errors.append(invalid(path, str(step), text))
    for stop in stops:
        if stop is not None and (stop.value() - base) % size:
            text = f"value is not a multiple of a given step ({step}) from ({low})"
            errors.append(invalid(path, str(stop), text))
    return errors


def _quantity(text: str | None) -> Quantity | None:
    return None if text is None else parse_quantity(text)
