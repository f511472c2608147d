"""Which taints keep a device from a request, and which devices a DeviceTaintRule taints.

NoSchedule and NoExecute keep away whoever does not tolerate them; None and effects not known here keep nobody away.
Source: KEP-5055, Kubernetes 1.36.2.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from dray.allocation.slices import Slice
from dray.api.meta import Object, name_of

_BLOCKING = ("NoSchedule", "NoExecute")


class Tolerations(NamedTuple):
    """The tolerations of a request; `key` is equal for equal tolerations."""

    key: Hashable
    raw: Sequence[Object]


NO_TOLERATIONS = Tolerations((), ())


def read_tolerations(raw: Sequence[Object] | None) -> Tolerations:
    if not raw:
        return NO_TOLERATIONS
    key = tuple(
        tuple(item.get(field) or "" for field in ("key", "operator", "value", "effect")) for item in raw
    )
    return Tolerations(key, raw)


def tolerates(toleration: Object, taint: Object) -> bool:
    """An empty key or effect in the toleration stands for any; the operator defaults to Equal."""
    if (effect := toleration.get("effect")) and effect != taint.get("effect"):
        return False
    if (key := toleration.get("key")) and key != taint.get("key"):
        return False
    match toleration.get("operator") or "Equal":
        case "Equal":
            return (toleration.get("value") or "") == (taint.get("value") or "")
        case "Exists":
            return True
        case _:
            return False


def blocking_taint(taints: Iterable[Object], tolerations: Sequence[Object]) -> Object | None:
    """The first taint that keeps the device away."""
    for taint in taints:
        if taint.get("effect") in _BLOCKING and not any(tolerates(item, taint) for item in tolerations):
            return taint
    return None


class TaintRules:
    """The DeviceTaintRules in force, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._rules: dict[str, Object] = {}

    def put(self, rule: Object) -> None:
        self._rules[name_of(rule)] = rule

    def remove(self, name: str) -> Object | None:
        """The rule that had the name, if any."""
        return self._rules.pop(name, None)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def taints_of(self, entry: Slice, bit: int) -> list[Object]:
        """The taints of a device: its own, then those of the rules that select it."""
        device = entry.devices[bit]
        taints: list[Object] = list(device.raw.get("taints") or ())
        for rule in self._rules.values():
            selector = rule["spec"].get("deviceSelector")
            # The API says that a rule without selector selects nothing; upstream's scheduler takes it for all
            # devices, its eviction controller for none.
            if selector is not None and selects(selector, (*entry.pool, device.name)):
                taints.append(rule["spec"]["taint"])
        return taints

    def blocked(self, entry: Slice, tolerations: Tolerations) -> int:
        """The devices of a slice that `tolerations` do not open. Kept on the slice until `entry.taints` is cleared."""
        if not entry.tainted and not self._rules:
            return 0
        found = entry.taints.get(tolerations.key)
        if found is None:
            found = 0
            for device in entry.devices:
                if blocking_taint(self.taints_of(entry, device.bit), tolerations.raw) is not None:
                    found |= 1 << device.bit
            entry.taints[tolerations.key] = found
        return found


def rule_reaches(rule: Object, entry: Slice) -> bool:
    """Whether a rule may concern devices of a slice."""
    selector = rule["spec"].get("deviceSelector")
    if selector is None:
        return False
    return selector.get("driver") in (None, entry.driver) and selector.get("pool") in (None, entry.pool.name)


def selects(selector: Object, device: tuple[str, str, str]) -> bool:
    """Whether the selector of a rule is for the device (driver, pool, name); what it does not name is any."""
    asked = (selector.get("driver"), selector.get("pool"), selector.get("device"))
    return all(want is None or want == have for want, have in zip(asked, device, strict=True))
