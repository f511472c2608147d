"""Expressions as validation sees them: where they stand, and a compiler that is given from outside.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go, 1.36.
"""

from collections.abc import Collection
from typing import Final, Literal, Protocol

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, required, too_many
from dray.api.meta import Object

Role = Literal["condition", "rule", "message", "annotation", "configuration", "operations"]

MAX_CONDITIONS: Final = 64


class ExpressionCheck(Protocol):
    """The compiler of one policy or webhook; it learns the variables in the order in which they are checked."""

    def variable(self, name: str, text: str, path: Path, *, stored: bool) -> list[FieldError]:
        """`stored`: the expression was accepted before."""
        ...

    def check(self, role: Role, text: str, path: Path, *, stored: bool) -> list[FieldError]: ...


def validate_match_conditions(
    conditions: list[Object], path: Path, check: ExpressionCheck, known: Collection[str]
) -> list[FieldError]:
    """matchConditions; `known` are the expressions that were accepted before."""
    errors: list[FieldError] = []
    if len(conditions) > MAX_CONDITIONS:
        errors.append(too_many(path, len(conditions), MAX_CONDITIONS))
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at, name = path.index(index), condition.get("name") or ""
        text = (condition.get("expression") or "").strip()
        if not text:
            errors.append(required(at.child("expression")))
        else:
            errors += check.check("condition", text, at.child("expression"), stored=text in known)
        if not name:
            errors.append(required(at.child("name")))
        else:
            errors += [invalid(at.child("name"), name, why) for why in names.qualified_name(name)]
        if name and name in seen:
            errors.append(duplicate(at.child("name"), name))
        seen.add(name)
    return errors


def expressions_of(conditions: list[Object]) -> set[str]:
    return {(each.get("expression") or "").strip() for each in conditions}
