"""The expressions of policies and match conditions as validation sees them: do they compile, and to the right type?"""

from dray.api.fields import FieldError, Path, internal, invalid
from dray.api.validation.admission.expressions import ExpressionCheck, Role

_UNPLANNABLE = "program instantiation failed: "


class AdmissionExpressions(ExpressionCheck):
    """The compiler of one policy or webhook."""

    def __init__(self, *, has_params: bool = False, has_variables: bool = False) -> None:
        # Here: the compiler takes long to import, and most objects have no expression.
        from dray.cel.admission import compiler as expressions

        self._roles = {
            "condition": expressions.RULE,
            "rule": expressions.RULE,
            "message": expressions.MESSAGE,
            "annotation": expressions.ANNOTATION,
            "configuration": expressions.CONFIGURATION,
            "operations": expressions.OPERATIONS,
        }
        self._compiler = expressions.Compiler(has_params=has_params, has_variables=has_variables)
        # Match conditions are judged before there are variables.
        self._conditions = expressions.Compiler(has_params=has_params, has_variables=False)

    def variable(self, name: str, text: str, path: Path, *, stored: bool) -> list[FieldError]:
        return _findings(text, self._compiler.variable(name, text, is_new=not stored).fault, path)

    def check(self, role: Role, text: str, path: Path, *, stored: bool) -> list[FieldError]:
        compiler = self._conditions if role == "condition" else self._compiler
        compiled = compiler.compile(
            text, self._roles[role], has_authorizer=role != "message", is_new=not stored
        )
        return _findings(text, compiled.fault, path)


def _findings(text: str, fault: str, path: Path) -> list[FieldError]:
    if not fault:
        return []
    return [internal(path, fault) if fault.startswith(_UNPLANNABLE) else invalid(path, text, fault)]
