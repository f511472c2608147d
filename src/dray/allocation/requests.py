"""What claims ask for, read before any node is looked at.

A claim becomes requests; a request one or more *options* (its alternatives, or itself); an option says which devices
would do, how many, and under which terms. Everything that is wrong with a claim whatever the node is found here, in
the order in which upstream finds it. Plans of claims are kept by content: claims made from one template share one.

Refuses to know: devices, nodes. Source: the validation phase of `Allocate`, Kubernetes 1.36.2.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dray.allocation.derivations import Derivation
from dray.allocation.deriving import Deriver
from dray.allocation.expressions import Filter
from dray.allocation.matching import Matcher
from dray.allocation.model import RESULTS_MAX, Features, Variant
from dray.allocation.taints import NO_TOLERATIONS, Tolerations, read_tolerations
from dray.api.meta import JSON, Object, key_of
from dray.api.quantity import Quantity, parse_quantity

_MAX_INT = 2**63 - 1


class Option:
    """One way to satisfy a request. `wrong` is the text that refuses the whole claim, or ""."""

    __slots__ = (
        "admin",
        "all_devices",
        "capacity",
        "capacity_key",
        "class_name",
        "constraints",
        "count",
        "derivations",
        "derived",
        "filter",
        "name",
        "raw",
        "tolerations",
        "wrong",
    )

    def __init__(self, name: str, raw: Object) -> None:
        self.name = name
        """As results name it: `request` or `request/alternative`."""
        self.raw = raw
        self.class_name: str = raw.get("deviceClassName") or ""
        self.all_devices = False
        self.count = 0
        self.admin = False
        self.filter: Filter
        self.tolerations: Tolerations = NO_TOLERATIONS
        self.capacity: Mapping[str, Quantity] = {}
        self.capacity_key: tuple[tuple[str, int], ...] = ()
        """Equal for equal `capacity`."""
        self.constraints: tuple[int, ...] = ()
        """Which of the claim's constraints apply."""
        self.derivations: Mapping[str, Derivation] = {}
        """What it derives from its devices, by attribute."""
        self.derived: tuple[Derivation | None, ...] = ()
        """For each of `constraints`, what it looks at instead of the published attribute."""
        self.wrong = ""


class Request:
    """A request of a claim: with alternatives, the first of `options` that works out is taken."""

    __slots__ = ("has_alternatives", "name", "options")

    def __init__(self, name: str, options: Sequence[Option], *, has_alternatives: bool) -> None:
        self.name = name
        self.options = options
        self.has_alternatives = has_alternatives


class Constraint:
    """A rule that the devices of several requests must keep together. Never spans claims."""

    __slots__ = ("attribute", "distinct", "requests")

    def __init__(self, raw: Object, *, distinct: bool) -> None:
        self.distinct = distinct
        self.attribute: str = raw["distinctAttribute"] if distinct else raw["matchAttribute"]
        self.requests: Sequence[str] = raw.get("requests") or ()

    def covers(self, request: str, option: str) -> bool:
        """No names: all requests. A request's own name covers all its alternatives."""
        return not self.requests or request in self.requests or option in self.requests


class Kind(NamedTuple):
    """Devices that look the same to a request, taints included, and all have what it derives for its constraints."""

    filter: Filter
    tolerations: Hashable
    derivations: tuple[Derivation, ...]
    in_use: bool
    """Whether devices that others hold would do as well."""


class Want(NamedTuple):
    """So many devices of one kind must be free at least; 0 where only what asking about them may end in counts."""

    kind: Kind
    tolerations: Tolerations
    need: int


class ClaimPlan:
    """What one claim asks for. Immutable; shared by claims with equal specs."""

    __slots__ = ("configured", "constraints", "error", "open_ended", "requests", "wants", "wrong")

    def __init__(
        self, requests: Sequence[Request], constraints: Sequence[Constraint], wrong: str, *, configured: bool
    ) -> None:
        self.requests = requests
        self.constraints = constraints
        self.wrong = wrong
        """What is wrong with the claim after all requests were found good, or ""."""
        options = [option for request in requests for option in request.options]
        self.open_ended = any(option.all_devices for option in options)
        """Whether some number of devices depends on the node."""
        self.configured = configured
        """Whether the claim or any class that it may use has configuration for drivers."""
        self.error = self._first_error()
        """What upstream complains about whatever the node; "" too where the node may complain earlier."""
        self.wants = tuple(self._wants())

    def _wants(self) -> Iterator[Want]:
        """What must be free, and what is asked about beside; nothing where every node has to be asked.

        That is so where numbers do not decide, and where it may be an error: with "all devices" or a claim that is wrong.
        """
        if self.open_ended or self.error or self.wrong:
            return
        for request in self.requests:
            for option in request.options:
                derivations = tuple(derivation for derivation in option.derived if derivation is not None)
                kind = Kind(option.filter, option.tolerations.key, derivations, option.admin)
                firm = len(request.options) == 1 and not option.admin
                yield Want(kind, option.tolerations, max(option.count, 0) if firm else 0)

    def _first_error(self) -> str:
        for request in self.requests:
            for option in request.options:
                if option.wrong:
                    return option.wrong
                if option.all_devices:
                    return ""
        return too_many(self, lambda option: option.count) or self.wrong


def too_many(plan: ClaimPlan, count: Callable[[Option], int]) -> str:
    """The complaint that the claim cannot fit into one allocation even with its smallest alternatives, or ""."""
    least = sum(min(map(count, request.options)) for request in plan.requests)
    if least <= RESULTS_MAX:
        return ""
    return f": number of requested devices {least} exceeds the claim limit of {RESULTS_MAX}"


class Planner:
    """Reads claim specs against the classes there are."""

    def __init__(
        self, features: Features, matcher: Matcher, deriver: Deriver, classes: Mapping[str, Object]
    ) -> None:
        self._features = features
        self._matcher = matcher
        self._deriver = deriver
        self._classes = classes

    def plan(self, spec: JSON) -> ClaimPlan:
        """The plan of a claim's `spec`; never raises for what a user may have written."""
        devices = spec.get("devices") or {}
        constraints, wrong = self._constraints(devices.get("constraints") or ())
        requests: list[Request] = []
        for raw in devices.get("requests") or ():
            request = self._request(raw, constraints)
            requests.append(request)
            if request.options and request.options[-1].wrong:
                break
        used = {option.class_name for request in requests for option in request.options}
        configured = bool(devices.get("config")) or any(
            (self._classes.get(name, {}).get("spec") or {}).get("config") for name in used
        )
        return ClaimPlan(requests, constraints, wrong, configured=configured)

    def _constraints(self, raws: Sequence[Object]) -> tuple[list[Constraint], str]:
        found: list[Constraint] = []
        for i, raw in enumerate(raws):
            if raw.get("matchAttribute") is not None:
                found.append(Constraint(raw, distinct=False))
            elif raw.get("distinctAttribute") is not None and self._features.variant is not Variant.STABLE:
                found.append(Constraint(raw, distinct=True))
            else:
                return found, f", constraint #{i}: empty constraint (unsupported constraint type?)"
        return found, ""

    def _request(self, raw: Object, constraints: Sequence[Constraint]) -> Request:
        name: str = raw["name"]
        alternatives: Sequence[Object] = raw.get("firstAvailable") or ()
        if not alternatives:
            option = self._option(name, name, raw.get("exactly") or {}, "request")
            self._constrain(option, name, constraints)
            return Request(name, [option], has_alternatives=False)
        if not self._features.prioritized_list:
            option = Option(name, alternatives[0])
            option.wrong = (
                f", request {name}: has subrequests, but the DRAPrioritizedList feature is disabled"
            )
            return Request(name, [option], has_alternatives=True)
        options: list[Option] = []
        for alternative in alternatives:
            # Upstream names only the alternative in its errors, not the request it belongs to.
            option = self._option(
                f"{name}/{alternative['name']}", alternative["name"], alternative, "subrequest"
            )
            self._constrain(option, name, constraints)
            options.append(option)
            if option.wrong:
                break
        return Request(name, options, has_alternatives=True)

    def _constrain(self, option: Option, request: str, constraints: Sequence[Constraint]) -> None:
        option.constraints = tuple(
            i for i, constraint in enumerate(constraints) if constraint.covers(request, option.name)
        )
        option.derived = tuple(option.derivations.get(constraints[i].attribute) for i in option.constraints)

    def _option(self, name: str, shown: str, raw: Object, kind: str) -> Option:
        option = Option(name, raw)
        option.wrong = self._complaint(option, shown, kind)
        if option.wrong:
            return option
        own = tuple(item["cel"].get("expression") or "" for item in raw.get("selectors") or ())
        spec = self._classes[option.class_name].get("spec") or {}
        of_class = tuple(
            (item.get("cel") or {}).get("expression") or "" for item in spec.get("selectors") or ()
        )
        option.filter = self._matcher.filter_of(option.class_name, of_class, own)
        option.all_devices = raw.get("allocationMode") == "All"
        option.count = 0 if option.all_devices else raw.get("count") or 0
        option.admin = bool(raw.get("adminAccess"))
        option.tolerations = read_tolerations(raw.get("tolerations"))
        asked = (raw.get("capacity") or {}).get("requests") or {}
        option.capacity = {key: parse_quantity(value) for key, value in asked.items()}
        if self._features.derived_attributes:
            option.derivations = {
                item["name"]: self._deriver.derivation_of(item["expression"])
                for item in raw.get("derivedAttributes") or ()
            }
        option.capacity_key = tuple((key, value.nanos) for key, value in option.capacity.items())
        return option

    def _complaint(self, option: Option, shown: str, kind: str) -> str:
        raw, at = option.raw, f", request {shown}"
        features = self._features
        # The stable allocator is older than capacity requests and does not see them.
        accepted = features.consumable_capacity or features.variant is Variant.STABLE
        if not accepted and raw.get("capacity") is not None:
            return (
                f", {kind} {shown}: has capacity requests, but the DRAConsumableCapacity feature is disabled"
            )
        for i, selector in enumerate(raw.get("selectors") or ()):
            if selector.get("cel") is None:
                return f"{at}, selector #{i}: CEL expression empty (unsupported selector type?)"
        if not features.admin_access and raw.get("adminAccess") is not None:
            return f"{at}: admin access is requested, but the feature is disabled"
        if not option.class_name:
            return f"{at}: missing device class name (unsupported request type?)"
        if option.class_name not in self._classes:
            unknown = f'deviceclass.resource.k8s.io "{option.class_name}" not found'
            return f"{at}: could not retrieve device class {option.class_name}: {unknown}"
        match raw.get("allocationMode"):
            case "All":
                return ""
            case "ExactCount":
                count = raw.get("count") or 0
                return f"{at}: exact count {count} is too large" if count > _MAX_INT else ""
            case mode:
                return f"{at}: unsupported count mode {mode or ''}"


def claim_text(claim: Object) -> str:
    """How errors name a claim: `claim namespace/name`."""
    return f"claim {key_of(claim)}"
