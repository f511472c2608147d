"""What the types of the kinds have against a policy: advice, which changes nothing of what the policy does.

Source: kubernetes apiserver/pkg/admission/plugin/policy/validating/typechecking.go, 1.36.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.api.schema import schema_for
from dray.cel.admission.compiler import ANYTHING, Compiler
from dray.cel.admission.object_types import type_of_schema
from dray.cel.admission.vocabulary import Types
from dray.cel.types import DYN, CelType

MAX_KINDS: Final = 10
"""More kinds than this are not looked at."""

KindOf = Callable[[str, str, str], str]
"""From group, version and plural to a kind, "" where there is none."""

_Kind = tuple[str, str, str]
"""Group, version and kind."""


def expression_warnings(policy: Object, kind_of: KindOf) -> list[Object]:
    """`status.typeChecking.expressionWarnings` of a ValidatingAdmissionPolicy."""
    spec = policy.get("spec") or {}
    compilers = [(kind, _compiler(spec, kind)) for kind in _kinds(spec, kind_of)]
    warnings: list[Object] = []
    for index, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            found = [_finding(kind, compiler, validation.get(field)) for kind, compiler in compilers]
            if text := "\n".join(filter(None, found)):
                warnings.append({"fieldRef": f"spec.validations[{index}].{field}", "warning": text})
    return warnings


def _finding(kind: _Kind, compiler: Compiler, text: str | None) -> str:
    if not text:
        return ""
    fault = compiler.compile(text, ANYTHING).fault.removeprefix("compilation failed: ")
    group, version, name = kind
    return f"{group}/{version}, Kind={name}: {fault}\n" if fault else ""


def _compiler(spec: Object, kind: _Kind) -> Compiler:
    structs: dict[str, dict[str, CelType]] = {}
    group, version, name = kind
    params = spec.get("paramKind")
    types = Types(
        _type(f"{group}/{version}".lstrip("/"), name, structs),
        _type(params["apiVersion"], params["kind"], structs) if params else DYN,
        structs,
    )
    compiler = Compiler(has_params=params is not None, has_variables=True, types=types)
    for variable in spec.get("variables") or ():
        compiler.variable(variable["name"], variable["expression"])
    return compiler


def _type(api_version: str, kind: str, structs: dict[str, dict[str, CelType]]) -> CelType:
    schema = schema_for(api_version, kind)
    return DYN if schema is None else type_of_schema(schema, structs)


def _kinds(spec: Object, kind_of: KindOf) -> Sequence[_Kind]:
    """The kinds that the rules name one by one, sorted; rules with wildcards say nothing about kinds."""
    found: set[_Kind] = set()
    for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
        for kind in _named(rule, kind_of):
            found.add(kind)
            if len(found) == MAX_KINDS:
                return sorted(found)
    return sorted(found)


def _named(rule: dict[str, Any], kind_of: KindOf) -> Iterator[_Kind]:
    groups, versions = sorted(rule.get("apiGroups") or ()), sorted(rule.get("apiVersions") or ())
    if "*" in groups or "*" in versions:
        return
    plurals = sorted(each for each in rule.get("resources") or () if not set("*/") & set(each))
    for group in groups:
        for version in versions:
            for plural in plurals:
                if name := kind_of(group, version, plural):
                    yield group, version, name
