"""A MutatingAdmissionPolicy, compiled, and what its mutations make of an object.

Pure: what is written comes as values. Source: kubernetes
apiserver/pkg/admission/plugin/policy/mutating/patch, 1.36.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.api import patch as languages
from dray.api.meta import Object
from dray.api.schema.go_text import GoValue
from dray.api.schema.inspection import DecodeError
from dray.api.schema.model import Schema
from dray.api.validation.lists import items_of
from dray.apiserver.admission.policies.evaluation import BUDGET, Activation, Meter, OutOfBudget
from dray.apiserver.admission.policies.terms import Terms, text_of
from dray.apiserver.admission.webhooks.failures import internal
from dray.apiserver.ownership import merging, typed
from dray.apiserver.structure import MACHINERY, Body, not_registered, strict_decode
from dray.apiserver.type_name import TypeName
from dray.cel.admission.compiler import CONFIGURATION, OPERATIONS, Compiled
from dray.cel.values.patch import NoJson, Part, PatchOperation, configuration_of, json_of, misnamed


class MutationFault(Exception):
    """A mutation cannot be made; `str()` says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mutation:
    expression: Compiled
    is_json_patch: bool
    """Or a configuration to be applied."""


@dataclasses.dataclass(frozen=True, slots=True)
class MutatingPolicy:
    terms: Terms
    mutations: Sequence[Mutation]
    is_reinvoked: bool
    """reinvocationPolicy IfNeeded."""

    @classmethod
    def compile(cls, obj: Object) -> "MutatingPolicy":
        spec = obj.get("spec") or {}
        terms, compiler = Terms.compile(obj)
        mutations = []
        for each in items_of(spec.get("mutations")):
            is_patch = each.get("patchType") == "JSONPatch"
            held = each.get("jsonPatch" if is_patch else "applyConfiguration") or {}
            text = text_of(held, "expression")
            mutations.append(
                Mutation(compiler.compile(text, OPERATIONS if is_patch else CONFIGURATION), is_patch)
            )
        return cls(terms, mutations, spec.get("reinvocationPolicy") == "IfNeeded")

    def is_meant(self, values: Mapping[str, Any], meter: Meter) -> bool:
        """Raises MatchFault, Impatient."""
        return self.terms.conditions.match(Activation(meter, values, self.terms.variables))

    def evaluate(self, mutation: Mutation, values: Mapping[str, Any], meter: Meter) -> Any:
        """A Part, or a list of PatchOperations. Raises MutationFault, Impatient."""
        activation = Activation(meter, values, self.terms.variables)
        try:
            (outcome,), _ = activation.evaluate_all([mutation.expression], BUDGET)
        except OutOfBudget as error:
            raise MutationFault(str(error)) from None
        if outcome.fault:
            raise MutationFault(outcome.fault)
        return outcome.value


def mutated(mutation: Mutation, value: Any, obj: Object, type: TypeName) -> Object:
    """What the value of the mutation makes of `obj`; that itself where a test of a patch failed.

    Raises MutationFault, or InternalError for a patch after which the object cannot be read.
    """
    # Lists of anything pass the compiler's check of types, with anything in them.
    if not mutation.is_json_patch:
        if not isinstance(value, Part):
            raise MutationFault("unsupported return type from ApplyConfiguration expression")
        return _applied(value, obj, type)
    if not all(isinstance(each, PatchOperation) for each in value):
        raise MutationFault("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    return _patched([_operation(each) for each in value], obj, type)


def _applied(part: Part, obj: Object, type: TypeName) -> Object:
    _check_names(part)
    try:
        configuration = configuration_of(part)
    except NoJson:
        raise MutationFault("invalid return type: *dynamic.ObjectVal") from None
    configuration = {**configuration, "apiVersion": type.api_version, "kind": type.kind}
    schema = type.schema
    if schema is None:
        raise MutationFault(f"failed to convert patch object to typed object: {not_registered(type)}")
    try:
        typed.check(configuration, schema)
    except typed.TypingError as error:
        why = f"failed to convert patch object to typed object: {error}"
        raise MutationFault(f"error applying patch: {why}") from None
    if _has_go_values(configuration):
        raise MutationFault("error applying patch: there is a value that has no form in JSON")
    if atomic := list(_atomic_parts(configuration, schema, "")):
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise MutationFault(f"error applying patch: invalid ApplyConfiguration: {why}")
    merged = merging.merge(obj, configuration, schema)
    try:
        return strict_decode(Body(merged), type, None, restores=True)
    except DecodeError as error:
        group, _, version = type.api_version.rpartition("/")
        shown = f"{group}/{version}, Kind={type.kind}"
        raise MutationFault(f"unable to convert unstructured object to {shown}: {error}") from None


def _has_go_values(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_go_values, value.values()))
    return isinstance(value, GoValue) or (isinstance(value, list) and any(map(_has_go_values, value)))


def _check_names(part: Part) -> None:
    if wrong := misnamed(part):
        raise MutationFault("type mismatch: " + "\n".join(wrong))


def _atomic_parts(value: Any, schema: Schema, path: str) -> Iterator[str]:
    """Where a value has something that could only be replaced as a whole, with what it does not mention."""
    if isinstance(value, dict):
        if schema.is_atomic or schema.shape == "any":
            yield path
        for name, item in value.items():
            field = schema.fields.get(name)
            if field is not None:
                yield from _atomic_parts(item, field.schema, f"{path}.{name}")
    elif isinstance(value, list) and schema.items is not None:
        if schema.is_atomic:
            yield path
        for index, item in enumerate(value):
            yield from _atomic_parts(item, schema.items, f"{path}[{index}]")


def _operation(value: PatchOperation) -> Object:
    operation = {"op": value.get("op", ""), "path": value.get("path", "")}
    if value.get("from"):
        operation["from"] = value["from"]
    if "value" not in value:
        return operation
    if isinstance(value["value"], Part):
        _check_names(value["value"])
    try:
        return {**operation, "value": json_of(value["value"])}
    except NoJson as error:
        why = "JSONPath valueExpression evaluated to a type that could not marshal to JSON"
        raise MutationFault(f"{why}: {error}") from None


def _patched(operations: list[Object], obj: Object, type: TypeName) -> Object:
    try:
        document = languages.json_patch(obj, operations)
    except languages.PatchTestError:
        return obj
    except languages.PatchError as error:
        raise MutationFault(f"JSON Patch: {error}") from None
    found: list[str] = []
    try:
        _check_type(document, type)
        patched = strict_decode(Body(document), type, found)
    except DecodeError as error:
        raise internal(error) from None
    if found:
        raise internal(f"strict decoding error: {', '.join(found)}")
    return patched


def _check_type(document: Any, type: TypeName) -> None:
    """Raises DecodeError for a document that has become another kind."""
    found = document if isinstance(document, dict) else {}
    api_version, kind = found.get("apiVersion", type.api_version), found.get("kind", type.kind)
    if (api_version, kind) != (type.api_version, type.kind):
        raise DecodeError(not_registered(TypeName(str(api_version), str(kind)), MACHINERY))
