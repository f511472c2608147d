"""What all policies say before they say what they do: for which writes, with which parameters, conditions and variables."""

import dataclasses
from collections.abc import Mapping

from dray.api.meta import Object, name_of
from dray.api.validation.lists import items_of
from dray.apiserver.admission.conditions import MatchConditions
from dray.apiserver.admission.matching import Criteria
from dray.cel.admission.compiler import Compiled, Compiler


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    name: str
    criteria: Criteria
    fails: bool
    """failurePolicy: what cannot be evaluated is refused."""
    param_kind: tuple[str, str] | None
    """apiVersion and kind of its parameters."""
    conditions: MatchConditions
    variables: Mapping[str, Compiled]

    @classmethod
    def compile(cls, obj: Object) -> tuple["Terms", Compiler]:
        """With the compiler for what the policy does, which knows the variables now."""
        spec = obj.get("spec") or {}
        kind = spec.get("paramKind")
        compiler = Compiler(has_params=kind is not None, has_variables=True)
        variables = {
            text_of(each, "name"): compiler.variable(text_of(each, "name"), text_of(each, "expression"))
            for each in items_of(spec.get("variables"))
        }
        fails = spec.get("failurePolicy") != "Ignore"
        terms = cls(
            name=name_of(obj),
            criteria=Criteria.of_resources(spec.get("matchConstraints") or {}),
            fails=fails,
            param_kind=(text_of(kind, "apiVersion"), text_of(kind, "kind")) if kind else None,
            conditions=MatchConditions.compile(items_of(spec.get("matchConditions")), compiler, fails=fails),
            variables=variables,
        )
        return terms, compiler


def text_of(obj: Object, field: str) -> str:
    """What is stored may be older than the rules for it: a hole fails the policy, not the server."""
    return obj.get(field) or ""
