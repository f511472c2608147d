"""CEL selectors as validation sees them: too long, does not compile, or too costly."""

from typing import TYPE_CHECKING

from dray.api import names
from dray.api.features import FeatureGates
from dray.api.fields import FieldError, Path, forbidden, invalid, too_long
from dray.api.validation.resource.selectors import ExpressionCheck

if TYPE_CHECKING:
    from dray.cel.environment import Environment

EXPRESSION_MAX_BYTES = 10 * 1024


def expression_check(features: FeatureGates) -> ExpressionCheck:
    """The check of one expression under these gates, for the rules of `dray.api.validation.resource`.

    Stored expressions are read with every library there is, new ones with what the release before knew.
    """

    def check(expression: str, path: Path, *, stored: bool) -> list[FieldError]:
        # Here: the compiler takes long to import, and most objects have no expression.
        from dray.cel.errors import CelCompileError
        from dray.cel.selector import COST_LIMIT, compile_selector

        if names.byte_length(expression) > EXPRESSION_MAX_BYTES:
            return [too_long(path, EXPRESSION_MAX_BYTES)]
        try:
            selector = compile_selector(expression, _environment(features, stored=stored))
        except CelCompileError as error:
            return [invalid(path, expression, str(error))]
        if selector.estimated_cost > COST_LIMIT:
            return [forbidden(path, "too complex, exceeds cost limit")]
        return []

    return check


def _environment(features: FeatureGates, *, stored: bool) -> "Environment":
    from dray.cel.environment import Environment

    return Environment(
        new_expressions=not stored,
        consumable_capacity=features.enabled("DRAConsumableCapacity"),
        list_type_attributes=features.enabled("DRAListTypeAttributes"),
    )
