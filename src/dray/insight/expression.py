"""What a device selector means on this cluster: does it compile, what does it cost, which devices does it select.

A selector that compiles can still fail for a device that lacks an attribute, and then the whole scheduling attempt ends;
so every attribute that is read is counted over the devices, and where it is absent the safe way to write it is given.

Refuses to know: claims and nodes; the question is about devices alone.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from dray.allocation import DeviceID
from dray.api.meta import Object
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, Environment, Selector, compile_selector
from dray.cel.device_expression import COST_LIMIT
from dray.insight.snapshot import Snapshot

_NAMES: Final = (
    "device", "quantity", "semver", "isQuantity", "isSemver", "size", "string", "int", "has", "matches", "startsWith",
    "endsWith", "contains", "compareTo", "isGreaterThan", "isLessThan", "includes", "lowerAscii", "orValue", "exists", "all",
)  # fmt: skip
_NAMES_SHOWN: Final = 12
_FIELDS: Final = ("driver", "attributes", "capacity", "allowMultipleAllocations")


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """An attribute or capacity that the selector reads, and on how many of the devices it exists."""

    kind: str
    name: str
    present: int
    absent: int
    fails: int
    """Of the devices without it: those for which the selector fails instead of answering."""
    values: tuple[str, ...]
    """The values seen, most frequent first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Miss:
    """Devices with one and the same answer, and what that is: why they are not selected, say."""

    reason: str
    devices: tuple[DeviceID, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """The whole answer. `error` is the compiler's; with one, nothing else but `suggestions` is known."""

    expression: str
    error: str = ""
    suggestions: tuple[str, ...] = ()
    type: str = ""
    cost: int = 0
    cost_limit: int = COST_LIMIT
    devices: int = 0
    matches: tuple[DeviceID, ...] = ()
    misses: tuple[Miss, ...] = ()
    failures: tuple[Miss, ...] = ()
    """Devices for which the selector fails: a claim that asks about one of them is not scheduled at all."""
    uses: tuple[Use, ...] = ()
    derives: bool = False
    """It gives the value of a derived attribute instead of selecting devices."""
    values: tuple[Miss, ...] = ()
    """The devices by what it derives from them."""

    @property
    def too_costly(self) -> bool:
        """The API server does not accept it."""
        return self.cost > self.cost_limit


def check_expression(
    snapshot: Snapshot, expression: str, *, driver: str = "", environment: Environment | None = None
) -> Check:
    """`driver`: only its devices are asked about; all without."""
    try:
        selector = compile_selector(expression, environment or Environment())
    except CelCompileError as error:
        return Check(expression, error=str(error), suggestions=tuple(mend(expression, str(error))))
    tally = _Tally(selector)
    for name, raw in devices_of(snapshot, driver):
        tally.add(name, raw)
    return Check(
        expression,
        suggestions=(*_existing(tally), *_safer(expression, tally.uses)),
        type=selector.output_type,
        cost=selector.estimated_cost,
        devices=tally.devices,
        matches=tuple(tally.matches),
        misses=grouped(tally.misses),
        failures=grouped(tally.failures),
        uses=tuple(tally.uses.values()),
    )


def devices_of(snapshot: Snapshot, driver: str = "") -> Iterator[tuple[DeviceID, Object]]:
    """The devices of the newest generation of each pool."""
    newest: dict[tuple[str, str], int] = {}
    for obj in snapshot.slices:
        pool = obj["spec"]["pool"]
        key = (obj["spec"]["driver"], pool["name"])
        newest[key] = max(newest.get(key, 0), pool.get("generation", 0))
    for obj in snapshot.slices:
        spec = obj["spec"]
        pool = spec["pool"]
        if (
            driver not in ("", spec["driver"])
            or pool.get("generation", 0) < newest[spec["driver"], pool["name"]]
        ):
            continue
        for device in spec.get("devices") or ():
            yield DeviceID(spec["driver"], pool["name"], device["name"]), device


class _Tally:
    """Counts the answers over the devices."""

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self.devices = 0
        self.matches: list[DeviceID] = []
        self.misses: dict[str, list[DeviceID]] = {}
        self.failures: dict[str, list[DeviceID]] = {}
        self.uses: dict[tuple[str, str], Use] = {}
        self._values: dict[tuple[str, str], dict[str, int]] = {}
        self.names: dict[str, dict[str, None]] = {"attribute": {}, "capacity": {}}
        """What devices have, read or not."""

    def add(self, name: DeviceID, raw: Object) -> None:
        self.devices += 1
        self.names["attribute"].update(dict.fromkeys(raw.get("attributes") or ()))
        self.names["capacity"].update(dict.fromkeys(raw.get("capacity") or ()))
        device = DeviceInput.of(name.driver, raw)
        failed = False
        try:
            if self._selector.matches(device):
                self.matches.append(name)
            else:
                self.misses.setdefault(str(self._selector.explain(device)), []).append(name)
        except CelRuntimeError as error:
            failed = True
            self.failures.setdefault(str(error), []).append(name)
        self._read(device, failed)

    def _read(self, device: DeviceInput, failed: bool) -> None:
        try:
            readings = self._selector.readings(device)
        except CelRuntimeError:
            return
        for reading in readings:
            if reading.kind not in ("attribute", "capacity"):
                continue
            key = (reading.kind, reading.name)
            use = self.uses.get(key) or Use(*key, 0, 0, 0, ())
            values = self._values.setdefault(key, {})
            if reading.present:
                shown = str(reading).split(" is ", 1)[1]
                values[shown] = values.get(shown, 0) + 1
            self.uses[key] = dataclasses.replace(
                use,
                present=use.present + reading.present,
                absent=use.absent + (not reading.present),
                fails=use.fails + (failed and not reading.present),
                values=tuple(sorted(values, key=lambda value: -values[value])),
            )


def grouped(groups: Mapping[str, Sequence[DeviceID]]) -> tuple[Miss, ...]:
    """Those of most devices first."""
    found = [Miss(reason, tuple(devices)) for reason, devices in groups.items()]
    return tuple(sorted(found, key=lambda miss: -len(miss.devices)))


def _existing(tally: _Tally) -> Iterator[str]:
    """What there is instead of a name that no device has."""
    for use in tally.uses.values():
        if use.present:
            continue
        names = list(tally.names[use.kind])
        bare = use.name.rpartition("/")[2]
        if close := difflib.get_close_matches(bare, names, 1, 0.6):
            yield f"no device has {use.kind} {use.name}; did you mean {close[0]}?"
        elif names:
            yield f"no device has {use.kind} {use.name}; there are: {', '.join(names[:_NAMES_SHOWN])}"


def _safer(expression: str, uses: Mapping[tuple[str, str], Use]) -> Iterator[str]:
    """How to write it so that it does not fail where something is absent."""
    for use in uses.values():
        if not use.fails or not use.present:
            continue
        field = "attributes" if use.kind == "attribute" else "capacity"
        found = re.search(
            rf'device\.{field}\["([^"]+)"\]\.{re.escape(use.name.rpartition("/")[2])}\b', expression
        )
        if found:
            guard = f"has({found[0]})"
            safe = f"{guard} && {expression}" if "||" not in expression else f"{guard} && ({expression})"
            yield f"so that it does not fail where {use.kind} {use.name} is absent, write: {safe}"


def mend(expression: str, error: str) -> Iterator[str]:
    """What was probably meant, for the most frequent mistakes."""
    for wrong in re.findall(r"undefined field '([^']+)'", error):
        if close := difflib.get_close_matches(wrong, _FIELDS, 1, 0.5):
            yield f"a device has no field {wrong}; did you mean device.{close[0]}?"
        else:
            yield f'a device has no field {wrong}; attributes are read as device.attributes["DRIVER"].{wrong}'
    for wrong in re.findall(r"undeclared reference to '([^']+)'", error):
        if close := difflib.get_close_matches(wrong, _NAMES, 1, 0.6):
            yield f"there is no {wrong}; did you mean {close[0]}?"
    if "Syntax error" in error and re.search(r"(?<![=!<>])=(?!=)", expression):
        yield "equality is written =="
    if re.search(r"\b(and|or|not)\b", expression) and "Syntax error" in error:
        yield "write && for and, || for or, ! for not"
    if ".capacity[" in expression and "no matching overload" in error:
        yield 'capacities are compared like this: device.capacity["DRIVER"].memory.compareTo(quantity("40Gi")) >= 0'
    if "must evaluate to a primitive scalar" in error:
        yield "a derived attribute is a text, a whole number, true or false, or a version; convert with string(...) or int(...)"
    if re.search(r"must evaluate to bool", error):
        yield "a selector is a question with the answer true or false: compare the value with something"


def expressions_of(obj: Object) -> Iterable[tuple[str, str]]:
    """The selectors of a DeviceClass, ResourceClaim or ResourceClaimTemplate: (where, expression)."""
    spec = obj.get("spec") or {}
    if obj.get("kind") == "ResourceClaimTemplate":
        spec = spec.get("spec") or {}
        yield from _of_requests(spec, "spec.spec")
    elif obj.get("kind") == "DeviceClass":
        yield from _of_selectors(spec, "spec")
    else:
        yield from _of_requests(spec, "spec")


def _of_requests(spec: Object, path: str) -> Iterator[tuple[str, str]]:
    for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        at = f"{path}.devices.requests[{index}]"
        # v1 nests an exact request; v1beta1 does not.
        yield from _of_selectors(request, at)
        yield from _of_selectors(request.get("exactly") or {}, f"{at}.exactly")
        for number, option in enumerate(request.get("firstAvailable") or ()):
            yield from _of_selectors(option, f"{at}.firstAvailable[{number}]")


def _of_selectors(part: Object, path: str) -> Iterator[tuple[str, str]]:
    for index, selector in enumerate(part.get("selectors") or ()):
        text = (selector.get("cel") or {}).get("expression")
        if text is not None:
            yield f"{path}.selectors[{index}].cel.expression", text
