"""The vocabulary of device allocation: features, and the four ways an attempt can end.

    Allocated       devices were found; one AllocationResult per claim
    Unsatisfiable   an answer, not an error: nothing fits, and `rejections` says why
    InvalidInput    the claims, classes or slices cannot be worked with; the text is upstream's
    SearchAborted   the budget was spent or the caller asked to stop: nothing is known

Refuses to know: how any of these is found. Source: KEP-4381 and its extensions, Kubernetes 1.36.2.
"""

import dataclasses
import enum
from collections.abc import Callable, Sequence

from dray.allocation.rejections import Rejection, Report
from dray.api.features import FeatureGates
from dray.api.meta import Object

RESULTS_MAX = 32
"""How many devices one claim may hold (`AllocationResultsMaxSize`)."""


class Variant(enum.Enum):
    """Which of upstream's three allocators a set of features selects; they differ in order and in refusals."""

    STABLE = "stable"
    INCUBATING = "incubating"
    EXPERIMENTAL = "experimental"


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """What the allocator may use. The defaults are those of kube-scheduler 1.36 with default gates.

    `list_type_attributes` stays off there even with the gate on: the 1.36 scheduler does not pass it on.
    The last group exists from 1.37 on; `release_137` also selects 1.37's behaviour where it changed without a gate.
    """

    admin_access: bool = True
    consumable_capacity: bool = True
    device_binding_and_status: bool = True
    device_taints: bool = True
    list_type_attributes: bool = False
    partitionable_devices: bool = True
    prioritized_list: bool = True

    release_137: bool = False
    compatibility_groups: bool = False
    derived_attributes: bool = False
    fractional_capacity_range: bool = False
    optional_node_operations: bool = False

    @classmethod
    def from_gates(cls, gates: FeatureGates) -> "Features":
        """The features that kube-scheduler derives from feature gates."""
        return cls(
            admin_access=gates.enabled("DRAAdminAccess"),
            consumable_capacity=gates.enabled("DRAConsumableCapacity"),
            device_binding_and_status=gates.enabled("DRADeviceBindingConditions")
            and gates.enabled("DRAResourceClaimDeviceStatus"),
            device_taints=gates.enabled("DRADeviceTaints"),
            # Upstream 1.36 forgets to pass this gate on, so list attributes never match there (fixed in 1.37);
            # the gate means what it says here.
            list_type_attributes=gates.enabled("DRAListTypeAttributes"),
            partitionable_devices=gates.enabled("DRAPartitionableDevices"),
            prioritized_list=gates.enabled("DRAPrioritizedList"),
            release_137=gates.reaches("1.37"),
            compatibility_groups=gates.enabled("DRADeviceCompatibilityGroups"),
            derived_attributes=gates.enabled("DRADerivedAttributes"),
            fractional_capacity_range=gates.enabled("DRAFractionalCapacityRange"),
            optional_node_operations=gates.enabled("DRAOptionalNodeOperations"),
        )

    @property
    def variant(self) -> Variant:
        """The first of upstream's allocators that supports every feature that is on."""
        latest = self.compatibility_groups or self.derived_attributes or self.optional_node_operations
        if self.list_type_attributes or latest:
            return Variant.EXPERIMENTAL
        if self.device_binding_and_status or self.consumable_capacity:
            return Variant.INCUBATING
        return Variant.STABLE


class InvalidInput(Exception):
    """The input cannot be allocated from; `str()` is upstream's text.

    `only_this_node`: other nodes may still work, and `unsatisfiable` says what the search found here. Otherwise
    upstream gives up on the pod for this attempt.
    """

    def __init__(self, message: str, *, unsatisfiable: "Unsatisfiable | None" = None) -> None:
        super().__init__(message)
        self.message = message
        self.unsatisfiable = unsatisfiable

    @property
    def only_this_node(self) -> bool:
        return self.unsatisfiable is not None


class AbortReason(enum.Enum):
    BUDGET = "budget"
    CANCELLED = "cancelled"


class SearchAborted(Exception):
    """The search stopped before it knew; neither "fits" nor "does not fit"."""

    def __init__(self, reason: AbortReason, steps: int) -> None:
        cause = "step budget exhausted" if reason is AbortReason.BUDGET else "asked to stop"
        super().__init__(f"filter operation aborted: {cause} after {steps} steps")
        self.reason = reason
        self.steps = steps


class Allocated:
    """Devices for every claim. `results` holds one AllocationResult JSON per claim, in the order of the claims.

    `steps` counts devices tried. The results are new objects, but share configuration and tolerations with the
    claims and classes they came from.
    """

    __slots__ = ("node", "results", "steps")

    def __init__(self, results: list[Object], node: str, steps: int) -> None:
        self.results = results
        self.node = node
        self.steps = steps

    def __repr__(self) -> str:
        devices = sum(len(result["devices"].get("results", ())) for result in self.results)
        return f"Allocated({devices} devices for {len(self.results)} claims on {self.node!r})"


class Unsatisfiable:
    """No devices fit on `node`. The reasons are worked out when first asked for; refusing costs nothing extra."""

    __slots__ = ("_explain", "_report", "node", "steps")

    def __init__(self, node: str, steps: int, explain: Callable[[], Report]) -> None:
        self.node = node
        self.steps = steps
        self._explain = explain
        self._report: Report | None = None

    @property
    def report(self) -> Report:
        """Everything that is known about why, from the state in which the attempt was made."""
        if self._report is None:
            self._report = self._explain()
        return self._report

    @property
    def rejections(self) -> Sequence[Rejection]:
        """Typed reasons: which rule took how many devices from which request, in which pool."""
        return self.report.rejections

    def summary(self) -> str:
        """One sentence for people."""
        return self.report.summary()

    def __repr__(self) -> str:
        return f"Unsatisfiable(on {self.node!r})"
