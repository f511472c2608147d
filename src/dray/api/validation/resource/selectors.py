"""CEL selectors as lists in an object. What an expression means is told by whoever owns the CEL engine."""

from typing import Protocol

from dray.api.fields import FieldError, Path, required
from dray.api.meta import Object
from dray.api.validation.lists import each, items_of

SELECTORS_MAX = 32


class ExpressionCheck(Protocol):
    """Findings on one CEL expression at `path`; `stored` expressions are compiled with every library enabled."""

    def __call__(self, expression: str, path: Path, *, stored: bool) -> list[FieldError]: ...


def validate_selectors(
    selectors: list[Object] | None, path: Path, check: ExpressionCheck, *, stored: bool
) -> list[FieldError]:
    def validate_selector(selector: Object, at: Path) -> list[FieldError]:
        cel = selector.get("cel")
        if cel is None:
            return [required(at.child("cel"))]
        return check(cel.get("expression") or "", at.child("cel", "expression"), stored=stored)

    return each(items_of(selectors), path, validate_selector, most=SELECTORS_MAX)
