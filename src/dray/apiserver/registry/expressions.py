"""CEL over devices as validation sees it: too long, does not compile, or too costly."""

from typing import TYPE_CHECKING

from dray.api import names
from dray.api.features import FeatureGates
from dray.api.fields import FieldError, Path, forbidden, invalid, too_long
from dray.api.validation.resource.derived import DerivationCheck, Finding
from dray.api.validation.resource.selectors import ExpressionCheck

if TYPE_CHECKING:
    from dray.cel.environment import Environment

EXPRESSION_MAX_BYTES = 10 * 1024
_COSTLY = "too complex, exceeds cost limit"


def expression_check(features: FeatureGates) -> ExpressionCheck:
    """The check of one expression under these gates, for the rules of `dray.api.validation.resource`.

    Stored expressions are read with every library there is, new ones with what the release before knew; from 1.37 on
    stored ones are believed.
    """

    def check(expression: str, path: Path, *, stored: bool) -> list[FieldError]:
        if stored and features.reaches("1.37"):
            return []
        # Here: the compiler takes long to import, and most objects have no expression.
        from dray.cel.device_expression import COST_LIMIT
        from dray.cel.errors import CelCompileError
        from dray.cel.selector import compile_selector

        if names.byte_length(expression) > EXPRESSION_MAX_BYTES:
            return [too_long(path, EXPRESSION_MAX_BYTES)]
        try:
            selector = compile_selector(expression, _environment(features, stored=stored))
        except CelCompileError as error:
            return [invalid(path, expression, str(error))]
        if selector.estimated_cost > COST_LIMIT:
            return [forbidden(path, _COSTLY)]
        return []

    return check


def derivation_check(features: FeatureGates) -> DerivationCheck:
    """The check of the expression of one derived attribute; only new ones are ever looked at."""

    def check(expression: str, path: Path) -> Finding:
        from dray.cel.derivation import compile_derivation
        from dray.cel.device_expression import COST_LIMIT
        from dray.cel.errors import CelCompileError

        if names.byte_length(expression) > EXPRESSION_MAX_BYTES:
            return Finding([too_long(path, EXPRESSION_MAX_BYTES)])
        try:
            derivation = compile_derivation(expression, _environment(features, stored=False))
        except CelCompileError as error:
            return Finding([invalid(path, expression, str(error))])
        cost = derivation.estimated_cost
        return Finding([forbidden(path, _COSTLY)] if cost > COST_LIMIT else [], cost)

    return check


def _environment(features: FeatureGates, *, stored: bool) -> "Environment":
    from dray.cel.declarations import Version
    from dray.cel.environment import Environment

    return Environment(
        version=Version(*map(int, features.release.split("."))),
        new_expressions=not stored,
        consumable_capacity=features.enabled("DRAConsumableCapacity"),
        list_type_attributes=features.enabled("DRAListTypeAttributes"),
    )
