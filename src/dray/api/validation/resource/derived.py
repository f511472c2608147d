"""Derived attributes of a claim: named, used by a constraint, and together not too costly. Gate DRADerivedAttributes.

What an expression means is told by whoever owns the CEL engine. Source: KEP-6080, Kubernetes 1.37.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from dray.api.fields import FieldError, Path, forbidden, invalid, required
from dray.api.meta import Object
from dray.api.validation.lists import each_unique, items_of
from dray.api.validation.resource.naming import validate_fully_qualified_name

DERIVED_MAX = 32
COST_MAX = 1_000_000
"""What the expressions of one claim may be estimated at together."""

_UNUSED = (
    "must be referenced by at least one matchAttribute or distinctAttribute constraint targeting this request"
)
_COSTLY = "too complex, total cost of derived attribute CEL expressions in the claim exceeds cost limit"


class Finding(NamedTuple):
    """What is wrong with an expression, and its estimated cost where that is known."""

    errors: list[FieldError]
    cost: int = 0


class DerivationCheck(Protocol):
    """Findings on one new expression at `path`."""

    def __call__(self, expression: str, path: Path) -> Finding: ...


class DerivedAttributes:
    """The derived attributes of one claim: `validate` those of each request, then the cost of all."""

    def __init__(self, devices: Object, check: DerivationCheck, *, stored: bool) -> None:
        """`stored`: the expressions were accepted before, and are not looked at again."""
        self._used = frozenset(_used_names(devices))
        self._check = check
        self._stored = stored
        self._cost = 0

    def validate(self, attributes: list[Object] | None, path: Path, request: str) -> list[FieldError]:
        """`request`: as constraints name it, `request` or `request/subrequest`."""
        return each_unique(
            items_of(attributes),
            path,
            lambda attribute, at: self._validate(attribute, at, request),
            key=lambda attribute: attribute.get("name") or "",
            most=DERIVED_MAX,
        )

    def _validate(self, attribute: Object, path: Path, request: str) -> list[FieldError]:
        name, expression = attribute.get("name") or "", attribute.get("expression") or ""
        at = path.child("name")
        if name:
            errors = validate_fully_qualified_name(name, at)
            if not self._is_used(name, request):
                errors.append(invalid(at, name, _UNUSED))
        else:
            errors = [required(at)]
        at = path.child("expression")
        if not expression:
            return [*errors, required(at)]
        if self._stored:
            return errors
        found = self._check(expression, at)
        self._cost += found.cost
        return errors + found.errors

    def _is_used(self, name: str, request: str) -> bool:
        """Whether a constraint on the request, on that of which it is an alternative, or on all looks at `name`."""
        targets = ("", request, request.partition("/")[0])
        return any((target, name) in self._used for target in targets)

    def validate_cost(self, path: Path) -> list[FieldError]:
        """Once all requests have been validated; `path` is that of `devices`."""
        return [forbidden(path, _COSTLY)] if self._cost > COST_MAX else []


def _used_names(devices: Object) -> Iterator[tuple[str, str]]:
    """Which attribute the constraints look at for which request; "" stands for all requests."""
    for constraint in items_of(devices.get("constraints")):
        name = constraint.get("matchAttribute")
        if name is None:
            name = constraint.get("distinctAttribute")
        if name is not None:
            for target in constraint.get("requests") or [""]:
                yield target, name
