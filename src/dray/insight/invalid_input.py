"""Errors of the input, over which the scheduler gives up on a pod: what each is about, and the change that mends it.

The texts are those of Kubernetes; what they are about is found by their words, since nothing else of them is kept in
events. Refuses to know: refusals, where the input is sound and devices are lacking (`suggestions`).
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, key_of, name_of
from dray.api.semver import is_semver
from dray.insight.alterations import (
    asking,
    request_names,
    selectors_of,
    with_devices,
    with_expression,
    with_request,
    without_term,
)
from dray.insight.evidence import find_request, one_line
from dray.insight.gates import with_gate
from dray.insight.remedy import Remedy
from dray.insight.world import Change, World

_RESULTS_MAX = 32
_IN_REQUEST = re.compile(r"claim (\S+?/\S+?), (?:sub)?request ([^\s:,]+)")
_IN_CLAIM = re.compile(r"claim ([^\s:,]+)")
_POOL = re.compile(r"resource pool (\S+) is currently")


def pool_in(text: str) -> str:
    """The pool that a request for all devices has to wait for, or ""."""
    match = _POOL.search(text)
    return match.group(1) if match else ""


class InvalidInputs:
    """Mends the errors of claims, as they are asked in a world."""

    def __init__(self, world: World, claims: Sequence[Object]) -> None:
        self._world = world
        self._claims = claims

    def of(self, text: str) -> Iterator[Remedy]:
        """`text` is the scheduler's error."""
        for pattern, mend in _MENDERS:
            if match := re.search(pattern, text):
                yield from mend(self, text, match)

    def _named(self, text: str) -> Iterator[tuple[Object, str]]:
        """The claim and the requests that the text may mean: it names alternatives without the request they belong to."""
        match = _IN_REQUEST.search(text)
        for claim in self._claims if match else ():
            assert match is not None
            if str(key_of(claim)) != match.group(1):
                continue
            for name in request_names(claim):
                if match.group(2) in (name, name.rpartition("/")[2], name.partition("/")[0]):
                    yield claim, name

    def _gate(self, text: str, gate: str, instead: str, changed: Change | None) -> Iterator[Remedy]:
        """Turning the gate on, or doing without what it is for."""
        change = Change(features=with_gate(self._world.features, gate))
        advice = f"turn on feature gate {gate} in kube-apiserver and kube-scheduler"
        yield Remedy(text, advice, change, ("gate", gate))
        if changed is not None:
            yield Remedy(text, instead, changed, ("without", gate, text))

    def _subrequests(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        for claim, name in self._named(text):
            request = name.partition("/")[0]
            instead = f"ask for one kind of device in request {request}: exactly, not firstAvailable"
            changed = asking(_with_first_alternative(claim, request))
            yield from self._gate(text, "DRAPrioritizedList", instead, changed)

    def _capacity(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        for claim, name in self._named(text):
            instead = f"ask for whole devices in request {name}, without capacity"
            changed = asking(with_request(claim, name, capacity=None))
            yield from self._gate(text, "DRAConsumableCapacity", instead, changed)

    def _admin_access(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        for claim, name in self._named(text):
            changed = asking(with_request(claim, name, adminAccess=None))
            yield from self._gate(
                text, "DRAAdminAccess", f"ask without adminAccess in request {name}", changed
            )

    def _class_missing(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        name = match.group(1)
        made: Object = {"metadata": {"name": name}, "spec": {}}
        yield Remedy(
            text,
            f"create DeviceClass {name} (the driver's chart usually does), or name another in the claim",
            Change(classes=[made]),
            ("class", name),
        )

    def _no_class(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        for claim, name in self._named(text):
            for known in sorted(self._world.class_names()):
                yield Remedy(
                    text,
                    f"name a DeviceClass in request {name}, for example {known}",
                    asking(_with_class(claim, name, known)),
                    ("no class", str(key_of(claim)), name, known),
                )

    def _count_mode(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        for claim, name in self._named(text):
            raw = find_request(claim, name)
            if raw.get("allocationMode") in ("ExactCount", "All"):
                continue
            count = raw.get("count") or 1
            yield Remedy(
                text,
                f"set allocationMode of request {name} to ExactCount or All: this scheduler knows no other",
                asking(with_request(claim, name, allocationMode="ExactCount", count=count)),
                ("mode", str(key_of(claim)), name),
            )

    def _constraint(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        number = int(match.group(1))
        for claim in self._claims:
            constraints = (claim["spec"].get("devices") or {}).get("constraints") or ()
            if str(key_of(claim)) != _claim_in(text) or number >= len(constraints):
                continue
            kept = [each for i, each in enumerate(constraints) if i != number]
            changed = asking(with_devices(claim, constraints=kept))
            if constraints[number].get("distinctAttribute") is not None:
                instead = f"drop constraint #{number} (distinctAttribute) of claim {key_of(claim)}"
                yield from self._gate(text, "DRAConsumableCapacity", instead, changed)
                continue
            yield Remedy(
                text,
                f"correct or drop constraint #{number} of claim {key_of(claim)}: it names no attribute that this scheduler knows",
                changed,
                ("empty constraint", str(key_of(claim)), str(number), str(len(constraints))),
            )

    def _too_many(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        over = int(match.group(1)) - _RESULTS_MAX
        for claim in self._claims:
            if str(key_of(claim)) != _claim_in(text):
                continue
            for name in request_names(claim):
                raw = find_request(claim, name)
                count = raw.get("count") or 1
                if raw.get("allocationMode") == "All":
                    advice = f"ask for a number of devices instead of all in request {name}"
                    changed = with_request(claim, name, allocationMode="ExactCount", count=1)
                elif count > over:
                    advice = f"ask for {count - over} instead of {count} in request {name}: a claim holds {_RESULTS_MAX} devices at most"
                    changed = with_request(claim, name, count=count - over)
                else:
                    continue
                yield Remedy(text, advice, asking(changed), ("limit", str(key_of(claim)), name, str(count)))

    def _empty_selector(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        number = int(match.group(1))
        for claim, name in self._named(text):
            items = find_request(claim, name).get("selectors") or ()
            kept = [each for i, each in enumerate(items) if i != number]
            yield Remedy(
                text,
                f"write a CEL expression in selector #{number} of request {name}, or drop it",
                asking(with_request(claim, name, selectors=kept)),
                ("empty selector", str(key_of(claim)), name, str(len(items))),
            )

    def _constrained(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        """A request for all devices whose devices a constraint forbids together."""
        for claim, name in self._named(text):
            constraints = (claim["spec"].get("devices") or {}).get("constraints") or ()
            for i, constraint in enumerate(constraints):
                if not _concerns(constraint, name):
                    continue
                kind = "matchAttribute" if constraint.get("matchAttribute") else "distinctAttribute"
                kept = [each for j, each in enumerate(constraints) if j != i]
                yield Remedy(
                    text,
                    f"drop constraint #{i} ({kind} {constraint.get(kind)}) of claim {key_of(claim)}: not all devices keep it",
                    asking(with_devices(claim, constraints=kept)),
                    ("all constrained", str(key_of(claim)), name, str(constraint.get(kind)), str(len(constraints))),
                )  # fmt: skip
            yield Remedy(
                text,
                f"ask for a number of devices instead of all in request {name}: not all keep the claim's constraints",
                asking(with_request(claim, name, allocationMode="ExactCount", count=1)),
                ("all to one", str(key_of(claim)), name),
            )

    def _selector(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        """A selector that fails on a device, or does not compile, is left out."""
        for claim in self._claims:
            for request, where, number, expression in selectors_of(self._world, claim):
                owner = f"class {where}" if where else f"claim {key_of(claim)}"
                if f"{owner}: selector #{number}" in text:
                    yield from self._misspelt(claim, request, where, expression, text)
                    yield Remedy(
                        text,
                        f"{_repair(text)} selector #{number} of {owner}: {one_line(expression)}",
                        without_term(self._world, claim, request, expression, expression, where),
                        ("error", str(key_of(claim)), request, where, expression),
                    )

    def _derived(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        """An expression that fails on a device, or does not compile, goes with the constraints that look at its value."""
        attribute = match.group(1)
        for claim, name in self._named(text):
            raw = find_request(claim, name)
            expressions = {item["name"]: item["expression"] for item in raw.get("derivedAttributes") or ()}
            if attribute not in expressions:
                continue
            at = ("derived", str(key_of(claim)), name, attribute)
            for advice, expression in self._nearly(text, expressions[attribute]):
                items = [
                    {**item, "expression": expression} if item["name"] == attribute else item
                    for item in raw["derivedAttributes"]
                ]
                yield Remedy(
                    text,
                    advice,
                    asking(with_request(claim, name, derivedAttributes=items)),
                    (*at, "misspelt"),
                )
            left = [item for item in raw["derivedAttributes"] if item["name"] != attribute]
            without = with_request(claim, name, derivedAttributes=left or None)
            constraints = [
                constraint
                for constraint in (claim["spec"].get("devices") or {}).get("constraints") or ()
                if not (_looks_at(constraint, attribute) and _concerns(constraint, name))
            ]
            yield Remedy(
                text,
                f"{_repair(text)} derived attribute {attribute} of request {name}: {one_line(expressions[attribute])}",
                asking(with_devices(without, constraints=constraints)),
                at,
            )

    def _misspelt(
        self, claim: Object, request: str, where: str, expression: str, text: str
    ) -> Iterator[Remedy]:
        """The name that is nearly that of an attribute or capacity which devices have."""
        for advice, other in self._nearly(text, expression):
            yield Remedy(
                text,
                advice,
                with_expression(self._world, claim, request, expression, other, where),
                ("misspelt", str(key_of(claim)), request, where, expression),
            )

    def _nearly(self, text: str, expression: str) -> Iterator[tuple[str, str]]:
        """Advice to write the name that devices have instead of one that nearly is it, and the expression with that."""
        match = re.search(r"no such key: (\w+)", text)
        names = self._published_names() if match else {}
        for name in difflib.get_close_matches(match[1], names, n=1) if match else ():
            assert match is not None
            advice = f"write {name} instead of {match[1]}: {name} is on {names[name]} devices, {match[1]} on {names.get(match[1], 0)}"
            yield advice, re.sub(rf"\b{re.escape(match[1])}\b", name, expression)

    def _published_names(self) -> Counter[str]:
        """Names of attributes and capacities without their domains, with the number of devices."""
        names: Counter[str] = Counter()
        for raw in self._world.slices():
            for device in raw["spec"].get("devices") or ():
                names.update(
                    {
                        name.rpartition("/")[2]
                        for part in ("attributes", "capacity")
                        for name in device.get(part) or ()
                    }
                )
        return names

    def _bad_attribute(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        """An attribute that is no version makes every selector fail that is asked about its device."""
        attribute = match.group(1)
        mended = [_without_bad_version(raw, attribute) for raw in self._world.slices()]
        changed = [new for new, old in zip(mended, self._world.slices(), strict=True) if new is not old]
        drivers = ", ".join(sorted({raw["spec"]["driver"] for raw in changed}))
        yield Remedy(
            text,
            f"driver {drivers} publishes {attribute} as a version that is none: correct it there; until then no selector works on that device",
            Change(slices=changed),
            ("attribute", attribute),
        )

    def _bad_node_selector(self, text: str, match: re.Match[str]) -> Iterator[Remedy]:
        name = match.group(1)
        for raw in self._world.slices():
            if name_of(raw) == name:
                yield Remedy(
                    text,
                    f"driver {raw['spec']['driver']} publishes ResourceSlice {name} with a node selector that cannot be read: correct it there, or kubectl delete resourceslice {name}",
                    Change(slices=[_for_no_node(raw)]),
                    ("node selector", name),
                )


Mender = Callable[[InvalidInputs, str, re.Match[str]], Iterator[Remedy]]
_MENDERS: Sequence[tuple[str, Mender]] = (
    (r"attribute (\S+): parse semantic version", InvalidInputs._bad_attribute),
    (r"selector #\d+(?: on device \S+)?: CEL (?:compile|runtime) error", InvalidInputs._selector),
    (r"derived attribute (\S+?)(?: on device \S+)?: CEL (?:compile|runtime) error", InvalidInputs._derived),
    (r"has subrequests, but the DRAPrioritizedList", InvalidInputs._subrequests),
    (r"has capacity requests, but the DRAConsumableCapacity", InvalidInputs._capacity),
    (r"admin access is requested, but the feature is disabled", InvalidInputs._admin_access),
    (r"could not retrieve device class ([^\s:]+)", InvalidInputs._class_missing),
    (r"missing device class name", InvalidInputs._no_class),
    (r"unsupported count mode", InvalidInputs._count_mode),
    (r"constraint #(\d+): empty constraint", InvalidInputs._constraint),
    (r"number of requested devices (\d+) exceeds", InvalidInputs._too_many),
    (r"selector #(\d+): CEL expression empty", InvalidInputs._empty_selector),
    (r"because a claim constraint would not be satisfied", InvalidInputs._constrained),
    (r"node selection for slice ([^\s:]+)", InvalidInputs._bad_node_selector),
)


def _claim_in(text: str) -> str:
    match = _IN_CLAIM.search(text)
    return match.group(1) if match else ""


def _repair(text: str) -> str:
    if "compile error" in text:
        return "correct (dray cel shows where it is wrong)"
    if "no such key" in text:
        return "guard with has(...) or .?name.orValue(...)"
    return "write so that it cannot fail on any device:"


def _concerns(constraint: Mapping[str, Any], request: str) -> bool:
    requests = constraint.get("requests") or ()
    return not requests or request in requests or request.partition("/")[0] in requests


def _looks_at(constraint: Mapping[str, Any], attribute: str) -> bool:
    return attribute in (constraint.get("matchAttribute"), constraint.get("distinctAttribute"))


def _with_first_alternative(claim: Object, name: str) -> Object:
    requests = []
    for raw in claim["spec"]["devices"]["requests"]:
        if raw["name"] == name and raw.get("firstAvailable"):
            first = {key: value for key, value in raw["firstAvailable"][0].items() if key != "name"}
            raw = {"name": name, "exactly": first}
        requests.append(raw)
    return with_devices(claim, requests=requests)


def _with_class(claim: Object, name: str, class_name: str) -> Object:
    """A request without any kind gets one; one that has a kind keeps the rest of it."""
    requests = [
        {**raw, "exactly": {"allocationMode": "ExactCount", "count": 1}}
        if raw["name"] == name and not raw.get("exactly") and not raw.get("firstAvailable")
        else raw
        for raw in claim["spec"]["devices"]["requests"]
    ]
    return with_request(with_devices(claim, requests=requests), name, deviceClassName=class_name)


def _without_bad_version(raw: Object, attribute: str) -> Object:
    """The slice without the attribute where it is a version that cannot be read; the same object where there is none."""
    devices = [_without_attribute(device, attribute) for device in raw["spec"].get("devices") or ()]
    if all(new is old for new, old in zip(devices, raw["spec"].get("devices") or (), strict=True)):
        return raw
    return {**raw, "spec": {**raw["spec"], "devices": devices}}


def _without_attribute(device: Object, attribute: str) -> Object:
    attributes = device.get("attributes") or {}
    bad = [
        name
        for name, value in attributes.items()
        if name.rpartition("/")[2] == attribute.rpartition("/")[2] and _is_bad_version(value)
    ]
    if not bad:
        return device
    return {**device, "attributes": {k: v for k, v in attributes.items() if k not in bad}}


def _is_bad_version(value: Mapping[str, Any]) -> bool:
    return "version" in value and not is_semver(value["version"])


def _for_no_node(raw: Object) -> Object:
    return {**raw, "spec": {**raw["spec"], "nodeSelector": {"nodeSelectorTerms": []}}}
