"""Whether a driver or a node can go: which claims and pods it would hurt, how, and what has to happen first.

A pod that has devices prepared can end only while the driver is there to take them back. So whoever holds a device of
the driver, access for administrators included, has to end before the driver goes. A node's devices go with the node;
devices of pools that other nodes see too stay, but a pod that runs on the node still has to end there.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from dray.api.meta import Object, is_deleting, key_of, name_of, uid_of
from dray.api.pod_groups import group_name, reserves_group
from dray.api.pods import is_terminal
from dray.api.resources import NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.insight.evidence import ask_selector
from dray.insight.snapshot import Snapshot
from dray.insight.world import World


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A pod that has, or is about to have, what would go; or a claim that holds it for no pod."""

    claim: str
    devices: tuple[str, ...]
    pod: str
    """namespace/name; "" where the claim is reserved for nobody."""
    state: str
    """`runs`, `starts`, `ends`, `gone` (reserved for a pod that does not exist), `idle`."""
    note: str = ""

    @property
    def is_hurt(self) -> bool:
        return self.state in ("runs", "starts", "ends")


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    subject: str
    safe: bool | None
    """None: it cannot be known."""
    users: tuple[User, ...]
    steps: tuple[str, ...] = ()
    """What to do first, in order."""
    notes: tuple[str, ...] = ()


def removal_of_driver(snapshot: Snapshot, driver: str) -> Removal:
    subject = f"driver {driver}"
    users = list(_users(snapshot, lambda result: bool(result["driver"] == driver)))
    known = {obj["spec"]["driver"] for obj in snapshot.slices}
    notes = []
    if driver not in known and not users:
        others = ", ".join(sorted(known)) or "none"
        text = f"no driver of that name publishes devices and no claim holds any; drivers: {others}"
        return Removal(subject, None, (), (), (text,))
    elif driver not in known:
        notes.append("it publishes nothing any more: start it again, or these pods cannot end")
    if classes := _only_of(snapshot, driver):
        notes.append(f"pods that ask for class {', '.join(classes)} will stay pending without it")
    steps = [
        *_ending(users),
        f"delete the DaemonSet of {driver} (kubectl get ds -A shows it), and last its DeviceClasses",
    ]
    return _removal(snapshot, subject, users, steps if users else [], notes)


def removal_of_node(snapshot: Snapshot, node: str) -> Removal:
    subject = f"node {node}"
    if snapshot.knows(NODES) and snapshot.find(NODES, node) is None:
        others = ", ".join(map(name_of, snapshot.nodes[:5])) or "none"
        return Removal(subject, None, (), (), (f"there is no node of that name; nodes: {others}",))
    own = _own_devices(snapshot, node)
    users = list(_users(snapshot, lambda result: (result["driver"], result["pool"], result["device"]) in own))
    seen = {(user.claim, user.pod) for user in users}
    for user in _users(snapshot, lambda result: True):
        pod = _pod(snapshot, user.pod)
        here = pod is not None and pod["spec"].get("nodeName") == node
        if here and (user.claim, user.pod) not in seen:
            users.append(
                dataclasses.replace(
                    user, note="its devices are not of this node and stay allocated until the pod ends"
                )
            )
    drain = f"kubectl drain {node} --ignore-daemonsets --delete-emptydir-data"
    steps = [
        f"{drain} (cordons it; the driver's DaemonSet stays and takes the devices back)",
        f"kubectl delete node {node} (its ResourceSlices go with it)",
    ]
    notes = [f"where its pods would go: dray whatif --drain {node}"] if users else []
    return _removal(snapshot, subject, users, steps if users else [], notes)


def _removal(
    snapshot: Snapshot, subject: str, users: Sequence[User], steps: Sequence[str], notes: Sequence[str]
) -> Removal:
    blind = [r.plural for r in (RESOURCE_CLAIMS, RESOURCE_SLICES, PODS) if not snapshot.knows(r)]
    if blind:
        reasons = [f"{plural}: {snapshot.unknown.get(plural, 'not read')}" for plural in blind]
        notes = [*notes, f"not known, since these could not be read: {'; '.join(reasons)}"]
    safe = not any(user.is_hurt for user in users)
    # What was seen is enough for "not safe"; for "safe" everything has to be seen.
    verdict = None if safe and blind else safe
    return Removal(subject, verdict, tuple(users), tuple(steps), tuple(notes))


def _users(snapshot: Snapshot, concerns: Callable[[Object], bool]) -> Iterator[User]:
    for claim in snapshot.claims:
        status = claim.get("status") or {}
        results = ((status.get("allocation") or {}).get("devices") or {}).get("results") or ()
        mine = [result for result in results if concerns(result)]
        if not mine:
            continue
        devices = tuple(
            f"{r['device']} (admin access)" if r.get("adminAccess") else r["device"] for r in mine
        )
        entries = status.get("reservedFor") or ()
        key = key_of(claim)
        for entry in entries:
            if reserves_group(entry):
                yield from _members(snapshot, claim, devices, entry["name"])
                continue
            pod = _pod(snapshot, f"{key.namespace}/{entry['name']}")
            yield User(str(key), devices, f"{key.namespace}/{entry['name']}", _state(pod, entry))
        if not entries:
            yield User(str(key), devices, "", "idle")


def _members(snapshot: Snapshot, claim: Object, devices: tuple[str, ...], group: str) -> Iterator[User]:
    """The pods of a PodGroup that use the claim; without any the group alone keeps the devices."""
    key = key_of(claim)
    users = [pod for pod in snapshot.pods_by_claim.get(key, ()) if group_name(pod) == group]
    for pod in users:
        yield User(str(key), devices, str(key_of(pod)), _state(pod, {}))
    if not users:
        yield User(str(key), devices, "", "idle")


def _pod(snapshot: Snapshot, name: str) -> Object | None:
    namespace, _, pod = name.partition("/")
    return snapshot.find(PODS, pod, namespace)


def _state(pod: Object | None, entry: Object) -> str:
    if pod is None or entry.get("uid", uid_of(pod)) != uid_of(pod):
        return "gone"
    if is_deleting(pod):
        return "ends"
    if is_terminal(pod):
        return "gone"
    return "runs" if (pod.get("status") or {}).get("phase") == "Running" else "starts"


def _own_devices(snapshot: Snapshot, node: str) -> set[tuple[str, str, str]]:
    """The devices that no other node sees."""
    found: set[tuple[str, str, str]] = set()
    elsewhere: set[tuple[str, str, str]] = set()
    inventory = World(snapshot).index.inventory
    for obj in snapshot.slices:
        spec = obj["spec"]
        if spec.get("nodeName") == node:
            found |= {(spec["driver"], spec["pool"]["name"], d["name"]) for d in spec.get("devices") or ()}
    for each in snapshot.nodes if _has_shared(snapshot) else ():
        seen = {tuple(device.id) for device in inventory.view(each).devices}
        if name_of(each) == node:
            found |= {(driver, pool, device) for driver, pool, device in seen}
        else:
            elsewhere |= {(driver, pool, device) for driver, pool, device in seen}
    return found - elsewhere


def _has_shared(snapshot: Snapshot) -> bool:
    return any(not obj["spec"].get("nodeName") for obj in snapshot.slices)


def _ending(users: Sequence[User]) -> Iterator[str]:
    """The pods that hold devices, and the claims that hold them for nobody."""
    pods = sorted({user.pod for user in users if user.state in ("runs", "starts")})
    for pod in pods[:5]:
        namespace, _, name = pod.partition("/")
        yield f"kubectl -n {namespace} delete pod {name} (or scale down what made it)"
    if len(pods) > 5:
        yield f"and {len(pods) - 5} more pods (all: -o json)"
    for claim in sorted({user.claim for user in users if user.state == "idle"})[:5]:
        namespace, _, name = claim.partition("/")
        yield f"kubectl -n {namespace} delete resourceclaim {name}"


def _only_of(snapshot: Snapshot, driver: str) -> list[str]:
    """Classes of which this driver publishes devices and no other does."""
    found = []
    for obj in snapshot.classes:
        selectors = [
            item["cel"]["expression"]
            for item in (obj.get("spec") or {}).get("selectors") or ()
            if item.get("cel")
        ]
        served = {
            spec["driver"]
            for spec in (slice_["spec"] for slice_ in snapshot.slices)
            for device in (spec.get("devices") or ())[:1]
            if all(ask_selector(selector, spec["driver"], device)[0] for selector in selectors)
        }
        if selectors and served == {driver}:
            found.append(name_of(obj))
    return found
