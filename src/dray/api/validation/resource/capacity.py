"""How much of a device may be taken at a time: the request policy of a capacity.

Quantities are compared exactly, but duplicates and steps are told by whole numbers, rounded up, as Kubernetes 1.36
does; the steps it divides by are refused here when they are zero, where 1.36 panics.
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
    values, bounds = policy.get("validValues") or [], policy.get("validRange")
    if values and bounds is not None:
        text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [forbidden(at, text)]
    if not values and bounds is None:
        return []
    default = _quantity(policy.get("default"))
    if default is None:
        kind = "validValues" if values else "validRange"
        return [required(at.child("default"), f"required when {kind} is defined")]
    total = parse_quantity(capacity.get("value") or "0")
    if values:
        options = [parse_quantity(value or "0") for value in values]
        return _validate_values(default, options, total, at.child("validValues"))
    return _validate_range(default, bounds, total, at.child("validRange"))


def _validate_values(
    default: Quantity, values: list[Quantity], total: Quantity, path: Path
) -> list[FieldError]:
    """Too long a list hides what is in it, the default among it, but not that it is unsorted."""
    errors: list[FieldError] = []
    for index in range(1, len(values)):
        if values[index] < values[index - 1]:
            text = "values must be sorted in ascending order"
            errors.append(invalid(path.index(index), str(values[index]), text))
    seen = values
    if len(values) > VALID_VALUES_MAX:
        errors.append(too_many(path, len(values), VALID_VALUES_MAX))
        seen = []
    text = f"option is larger than capacity value: {total}"
    errors += [
        invalid(path.index(index), str(value), text) for index, value in enumerate(seen) if value > total
    ]
    whole = [value.value() for value in seen]
    errors += [duplicate(path.index(index), str(whole[index])) for index in repeated(whole)]
    if default not in seen:
        text = "default value is not valid according to the requestPolicy"
        errors.append(invalid(path, str(default), text))
    return errors


def _validate_range(default: Quantity, bounds: Object, total: Quantity, path: Path) -> list[FieldError]:
    low, high, step = (_quantity(bounds.get(field)) for field in ("min", "max", "step"))
    if low is None:
        return [required(path.child("min"), "required when validRange is defined")]
    errors: list[FieldError] = []
    if low > total:
        text = f"min is larger than capacity value: {total}"
        errors.append(invalid(path.child("min"), str(low), text))
    if default < low:
        errors.append(invalid(path.child("min"), str(default), f"default is less than min: {low}"))
    if high is not None:
        errors += _validate_high(default, low, high, total, path.child("max"))
    if step is not None:
        stops = (default,) if high is None else (default, high)
        errors += _validate_step(step, low, stops, total, path.child("step"))
    return errors


def _validate_high(
    default: Quantity, low: Quantity, high: Quantity, total: Quantity, path: Path
) -> list[FieldError]:
    errors: list[FieldError] = []
    if low > high:
        errors.append(invalid(path, str(low), f"min is larger than max: {high}"))
    if high > total:
        errors.append(invalid(path, str(high), f"max is larger than capacity value: {total}"))
    if default > high:
        errors.append(invalid(path, str(default), f"default is more than max: {high}"))
    return errors


def _validate_step(
    step: Quantity, low: Quantity, stops: tuple[Quantity, ...], total: Quantity, path: Path
) -> list[FieldError]:
    """`stops` are the default and the maximum: both must be a whole number of steps above the minimum."""
    size, base = step.value(), low.value()
    if not size:
        return [invalid(path, str(step), "must be greater than zero")]
    errors: list[FieldError] = []
    if low + step > total:
        text = f"one step {low + step} is larger than capacity value: {total}"
        errors.append(invalid(path, str(step), text))
    for stop in stops:
        if (stop.value() - base) % size:
            text = f"value is not a multiple of a given step ({step}) from ({low})"
            errors.append(invalid(path, str(stop), text))
    return errors


def _quantity(text: str | None) -> Quantity | None:
    return None if text is None else parse_quantity(text)
