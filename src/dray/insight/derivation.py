"""What the expression of a derived attribute makes of this cluster's devices: values, cost, and where it fails.

It is only ever asked about devices that the request's selectors and those of its class accept, so those are asked first.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from dray.allocation import DeviceID
from dray.api.meta import Object
from dray.api.resources import DEVICE_CLASSES
from dray.cel import (
    CelCompileError,
    CelRuntimeError,
    DeviceInput,
    Environment,
    Selector,
    compile_derivation,
    compile_selector,
)
from dray.insight.expression import Check, devices_of, grouped, mend
from dray.insight.snapshot import Snapshot

_ENVIRONMENT: Final = Environment(list_type_attributes=True)


class Asked(NamedTuple):
    """An expression where it is written, and which devices it is meant for."""

    where: str
    expression: str
    class_name: str = ""
    selectors: tuple[str, ...] = ()


def derivations_of(obj: Object) -> Iterator[Asked]:
    """The derived attributes of a ResourceClaim or ResourceClaimTemplate."""
    spec, path = obj.get("spec") or {}, "spec"
    if obj.get("kind") == "ResourceClaimTemplate":
        spec, path = spec.get("spec") or {}, "spec.spec"
    for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        at = f"{path}.devices.requests[{index}]"
        # v1 nests an exact request; v1beta1 does not.
        yield from _of_selection(request, at)
        yield from _of_selection(request.get("exactly") or {}, f"{at}.exactly")
        for number, option in enumerate(request.get("firstAvailable") or ()):
            yield from _of_selection(option, f"{at}.firstAvailable[{number}]")


def _of_selection(part: Object, path: str) -> Iterator[Asked]:
    for index, derived in enumerate(part.get("derivedAttributes") or ()):
        text = derived.get("expression")
        if text is not None:
            where = f"{path}.derivedAttributes[{index}].expression"
            yield Asked(where, text, part.get("deviceClassName") or "", tuple(_expressions(part)))


def _expressions(part: Object) -> Iterator[str]:
    return ((each.get("cel") or {}).get("expression") or "" for each in part.get("selectors") or ())


def check_derivation(snapshot: Snapshot, asked: Asked, *, driver: str = "") -> Check:
    """`driver`: only its devices are asked about; all without. The same answer as of a selector, but with `values`."""
    expression = asked.expression
    try:
        derivation = compile_derivation(expression, _ENVIRONMENT)
    except CelCompileError as error:
        return Check(
            expression, error=str(error), suggestions=tuple(mend(expression, str(error))), derives=True
        )
    values: dict[str, list[DeviceID]] = {}
    failures: dict[str, list[DeviceID]] = {}
    filters = _filters(snapshot, asked)
    for name, raw in devices_of(snapshot, driver):
        device = DeviceInput.of(name.driver, raw)
        if not all(_accepts(each, device) for each in filters):
            continue
        try:
            ((kind, value),) = derivation.attribute(device).items()
            values.setdefault(f"{kind} {value}", []).append(name)
        except CelRuntimeError as error:
            failures.setdefault(str(error), []).append(name)
    return Check(
        expression,
        type=derivation.output_type,
        cost=derivation.estimated_cost,
        devices=sum(map(len, (*values.values(), *failures.values()))),
        failures=grouped(failures),
        values=grouped(values),
        derives=True,
    )


def _filters(snapshot: Snapshot, asked: Asked) -> Sequence[Selector]:
    """The selectors of the class and the request; one that does not compile is told elsewhere."""
    found = snapshot.find(DEVICE_CLASSES, asked.class_name, "") if asked.class_name else None
    filters = []
    for text in (*_expressions((found or {}).get("spec") or {}), *asked.selectors):
        try:
            filters.append(compile_selector(text, _ENVIRONMENT))
        except CelCompileError:
            continue
    return filters


def _accepts(selector: Selector, device: DeviceInput) -> bool:
    try:
        return selector.matches(device)
    except CelRuntimeError:
        return False
