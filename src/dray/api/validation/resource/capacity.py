"""How much of a device may be taken at a time: the request policy of a capacity.

Quantities are compared exactly, but duplicates and steps are told by whole numbers, rounded up, as Kubernetes 1.36
does; the steps it divides by are refused here when they are zero, where 1.36 panics.
"""

import dataclasses
from collections.abc import Mapping

from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, required, too_many
from dray.api.meta import Object
from dray.api.quantity import Quantity, parse_quantity
from dray.api.validation.lists import repeated

VALID_VALUES_MAX = 10

_NANOS_OF_A_THOUSANDTH = 10**6
_INT64_MAX = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class _RangeRules:
    exact: bool
    is_137: bool

    def blamed(self, bound: str) -> str:
        """Where a default out of bounds is told: at the bound, from 1.37 on at the default."""
        return "default" if self.is_137 else bound


def validate_capacity(
    capacity: Object, path: Path, *, shared: bool, exact: bool = False, is_137: bool = False
) -> list[FieldError]:
    """`shared`: the device allows multiple allocations, without which a policy means nothing.

    `exact`: fractions count (gate DRAFractionalCapacityRange of 1.37). `is_137`: its other rules hold.
    """
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
        return _validate_values(default, options, total, at.child("validValues"), exact)
    rules = _RangeRules(exact, is_137)
    return _validate_range(default, bounds, total, at.child("validRange"), rules)


def _validate_values(
    default: Quantity, values: list[Quantity], total: Quantity, path: Path, exact: bool
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
    keys = [str(value) if exact else str(value.value()) for value in seen]
    errors += [duplicate(path.index(index), keys[index]) for index in repeated(keys)]
    if default not in seen:
        text = "default value is not valid according to the requestPolicy"
        errors.append(invalid(path, str(default), text))
    return errors


def _validate_range(
    default: Quantity, bounds: Object, total: Quantity, path: Path, rules: _RangeRules
) -> list[FieldError]:
    low, high, step = (_quantity(bounds.get(field)) for field in ("min", "max", "step"))
    if low is None:
        return [required(path.child("min"), "required when validRange is defined")]
    errors: list[FieldError] = []
    if low > total:
        text = f"min is larger than capacity value: {total}"
        errors.append(invalid(path.child("min"), str(low), text))
    if default < low:
        at = path.child(rules.blamed("min"))
        errors.append(invalid(at, str(default), f"default is less than min: {low}"))
    if high is not None:
        errors += _validate_high(default, low, high, total, path, rules)
    amounts = {"default": default, "min": low, "max": high, "step": step}
    if rules.is_137 and (out := _validate_bounds(amounts, path)):
        return errors + out
    in_thousandths = rules.exact and any(one is not None and not one.is_integer() for one in amounts.values())
    if in_thousandths and (finer := _validate_thousandths(amounts, path)):
        return errors + finer
    if step is not None:
        stops = (default,) if high is None else (default, high)
        errors += _validate_step(step, low, stops, total, path.child("step"), in_thousandths)
    return errors


def _validate_thousandths(amounts: Mapping[str, Quantity | None], path: Path) -> list[FieldError]:
    """Steps are counted in thousandths, so nothing may be finer."""
    text = "value cannot be represented as a milli value"
    return [
        invalid(path.child(field), str(amount), text)
        for field, amount in amounts.items()
        if amount is not None
        and (amount.nanos % _NANOS_OF_A_THOUSANDTH or amount.nanos // _NANOS_OF_A_THOUSANDTH > _INT64_MAX)
    ]


def _validate_bounds(amounts: Mapping[str, Quantity | None], path: Path) -> list[FieldError]:
    """What whole numbers of 64 bits cannot count, and steps that lead nowhere."""
    errors: list[FieldError] = []
    for field, amount in amounts.items():
        if amount is None:
            continue
        at = path.child(field)
        if field == "step" and amount.nanos <= 0:
            errors.append(invalid(at, str(amount), "must be greater than zero"))
        elif amount.nanos < 0:
            errors.append(invalid(at, str(amount), "must be greater than or equal to 0"))
        elif amount.value() > _INT64_MAX:
            errors.append(invalid(at, str(amount), f"must not be larger than {_INT64_MAX}"))
    return errors


def _validate_high(
    default: Quantity, low: Quantity, high: Quantity, total: Quantity, path: Path, rules: _RangeRules
) -> list[FieldError]:
    errors: list[FieldError] = []
    at = path.child("max")
    if low > high:
        errors.append(invalid(at, str(low), f"min is larger than max: {high}"))
    if high > total:
        errors.append(invalid(at, str(high), f"max is larger than capacity value: {total}"))
    if default > high:
        at = path.child(rules.blamed("max"))
        errors.append(invalid(at, str(default), f"default is more than max: {high}"))
    return errors


def _validate_step(
    step: Quantity,
    low: Quantity,
    stops: tuple[Quantity, ...],
    total: Quantity,
    path: Path,
    in_thousandths: bool,
) -> list[FieldError]:
    """`stops` are the default and the maximum: both must be a whole number of steps above the minimum."""
    count = Quantity.milli_value if in_thousandths else Quantity.value
    size, base = count(step), count(low)
    if not size:
        return [invalid(path, str(step), "must be greater than zero")]
    errors: list[FieldError] = []
    if low + step > total:
        text = f"one step {low + step} is larger than capacity value: {total}"
        errors.append(invalid(path, str(step), text))
    for stop in stops:
        if (count(stop) - base) % size:
            text = f"value is not a multiple of a given step ({step}) from ({low})"
            errors.append(invalid(path, str(stop), text))
    return errors


def _quantity(text: str | None) -> Quantity | None:
    return None if text is None else parse_quantity(text)
