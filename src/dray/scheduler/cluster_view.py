"""Everything the scheduler knows, kept current change by change: nodes, pods, claims, classes, devices, namespaces.

Changes come from watches and from the scheduler's own writes; each is turned into the *happenings* that may let waiting
pods be scheduled. Only the scheduling task calls in here, between attempts: an attempt sees one unmoving picture.

Decides what a change means. Refuses to know the queue's order and anything about writing.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping

from dray.allocation import DeviceIndex, Features
from dray.allocation.nodes import NodeOrder
from dray.api.meta import Object, ObjectKey, key_of, labels_of, name_of, uid_of
from dray.api.pod_groups import min_count
from dray.scheduler.assume import ClaimLedger, allocation_of
from dray.scheduler.groups import PodGroups
from dray.scheduler.happenings import Happening, Kind
from dray.scheduler.plugins.dynamic_resources.extended import ExtendedResources
from dray.scheduler.plugins.dynamic_resources.plan import DevicePlan, Settings, make_plan
from dray.scheduler.plugins.dynamic_resources.sharing import Team
from dray.scheduler.pod_view import PodView, is_terminal
from dray.scheduler.snapshot import NodeView, Snapshot


class ClusterView:
    def __init__(self, settings: Settings, announce: Callable[[Happening], object]) -> None:
        """`announce` is told of everything that may help a waiting pod."""
        self.settings = settings
        self.nodes = Snapshot()
        self.claims = ClaimLedger()
        self.groups = PodGroups()
        self.classes: dict[str, Object] = {}
        self.extended = ExtendedResources()
        self.index = DeviceIndex(Features.from_gates(settings.gates), new_share_id=lambda: str(uuid.uuid4()))
        self.devices_version = 0
        """Moves whenever slices, classes or taint rules change."""
        self.nominated: dict[str, dict[str, PodView]] = {}
        """Pods that are to go to a node once there is room, by node name and pod UID."""
        self._nominations: dict[str, str] = {}
        self._order: NodeOrder | None = None
        self._order_version = -1
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._announce = announce

    def labels_of_namespace(self, name: str) -> Mapping[str, str]:
        return self._namespaces.get(name, {})

    def plan_devices(self, pod: PodView, now: dt.datetime, team: Team | None = None) -> DevicePlan | None:
        """See `make_plan`."""
        return make_plan(
            pod,
            ledger=self.claims,
            index=self.index,
            classes=self.classes,
            extended=self.extended,
            settings=self.settings,
            now=now,
            team=team,
        )

    @property
    def node_order(self) -> NodeOrder:
        """All nodes in walking order, as the device index wants them. Places in it are those of `nodes`."""
        if self._order is None or self._order_version != self.nodes.version:
            self._order = self.index.order([node.node for node in self.nodes if node.node is not None])
            self._order_version = self.nodes.version
        return self._order

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self.nodes.remove_node(name_of(old))
            self._announce(Happening(Kind.NODE_REMOVED))
            return
        before = self.nodes.find(name_of(new))
        was = _shape(before) if before is not None else None
        self.nodes.put_node(new)
        after = self.nodes.find(name_of(new))
        assert after is not None
        if was is None:
            self._announce(Happening(Kind.NODE_ADDED))
            return
        for kind, one, other in zip(_NODE_KINDS, was, _shape(after), strict=True):
            if one != other:
                self._announce(Happening(kind))

    def assigned_pod_changed(self, old: Object | None, pod: Object) -> None:
        """A pod that is on a node, and holds something there, appeared or changed."""
        view = PodView(pod)
        # A pod that this scheduler placed is on its node for the others only when it is bound.
        is_new = self.nodes.place_of(view.uid) is None or self.nodes.is_assumed(view.uid)
        self.nominate(view, "")
        known = self.nodes.put_pod(view)
        if is_new:
            self._announce(Happening(Kind.POD_ASSIGNED))
        elif old is not None and labels_of(old) != labels_of(pod):
            self._announce(Happening(Kind.POD_LABELS))
        if known is not None and view.asks_less_than(known):
            self._announce(Happening(Kind.POD_SHRUNK))

    def pod_left(self, uid: str) -> None:
        """A pod is gone, or done, or was not bound after all."""
        view = self.nodes.remove_pod(uid)
        if view is not None:
            self._announce(Happening(Kind.POD_REMOVED))

    def nominate(self, view: PodView, node_name: str) -> None:
        """Keep room for a waiting pod on a node; "" ends that."""
        before = self._nominations.pop(view.uid, "")
        if before:
            waiting = self.nominated[before]
            waiting.pop(view.uid, None)
            if not waiting:
                del self.nominated[before]
        if node_name:
            self._nominations[view.uid] = node_name
            self.nominated.setdefault(node_name, {})[view.uid] = view

    def renominate(self, pod: Object) -> None:
        """Take over what a waiting pod's status says about its node, unless it is on its way to one already."""
        view = PodView(pod)
        if not self.nodes.is_assumed(view.uid):
            self.nominate(view, view.nominated_node)

    def end_nomination(self, uid: str) -> None:
        name = self._nominations.get(uid)
        if name is not None:
            self.nominate(self.nominated[name][uid], "")

    def group_changed(self, old: Object | None, new: Object | None) -> None:
        """A PodGroup."""
        if new is None:
            assert old is not None
            self.groups.remove(key_of(old))
        elif (known := self.groups.put(new)) is None:
            self._announce(Happening(Kind.POD_GROUP_ADDED, key_of(new)))
        elif min_count(new) < min_count(known):
            self._announce(Happening(Kind.POD_GROUP_CHANGED, key_of(new)))

    def join_group(self, pod: Object) -> None:
        """A pod that may belong to a group appeared or changed."""
        if (key := self.groups.join(pod)) is not None:
            self._announce(Happening(Kind.GROUP_MEMBER_ADDED, key))

    def placed_in(self, key: ObjectKey) -> int:
        """How many pods of a PodGroup are on a node, or on their way to one."""
        return sum(self.nodes.place_of(uid) is not None for uid in self.groups.members(key))

    def claim_changed(self, claim: Object) -> None:
        """The watch shows a version of a claim."""
        news, old = self.claims.put(claim)
        if news:
            self._claim_is(old, claim)

    def claim_written(self, claim: Object) -> None:
        """The scheduler wrote a claim itself and got this version back."""
        old = self.claims.find(key_of(claim))
        if self.claims.amend(claim):
            self._claim_is(old, claim)

    def _claim_is(self, old: Object | None, new: Object) -> None:
        key = key_of(new)
        if old is not None and uid_of(old) != uid_of(new):
            self._claim_is_gone(old)
            old = None
        self.index.put_claim(new)
        if old is None:
            self._announce(Happening(Kind.CLAIM_ADDED, key))
            return
        if allocation_of(old) is not None and allocation_of(new) is None:
            self._announce(Happening(Kind.CLAIM_DEALLOCATED))
        # Finalizers and other metadata wake nobody, but a gate looks at deletion.
        deleting = new["metadata"].get("deletionTimestamp") != old["metadata"].get("deletionTimestamp")
        if deleting or (old.get("status") or {}) != (new.get("status") or {}):
            self._announce(Happening(Kind.CLAIM_CHANGED, key))

    def claim_removed(self, claim: Object) -> None:
        if self.claims.remove(claim):
            self._claim_is_gone(claim)

    def _claim_is_gone(self, claim: Object) -> None:
        self.index.remove_claim(uid_of(claim))
        self._announce(Happening(Kind.CLAIM_CHANGED, key_of(claim)))
        if allocation_of(claim) is not None:
            # Not an event in 1.36, where a pod may so wait five minutes for devices that are free.
            self._announce(Happening(Kind.CLAIM_DEALLOCATED))

    def hold(self, held: list[tuple[str, Object]]) -> None:
        """Count devices as taken that are about to be written."""
        for uid, allocation in held:
            self.claims.hold(uid, allocation)
            self.index.assume(uid, allocation)

    def settle(self, held: list[tuple[str, Object]], *, given_up: bool) -> None:
        """The devices were written, or will not be: only what claims show counts now."""
        released = self._let_go(held)
        if given_up and released:
            self._announce(Happening(Kind.CLAIM_DEALLOCATED))

    def withdraw(self, pod: PodView, held: list[tuple[str, Object]]) -> None:
        """Take back what an attempt assumed that led to nothing; nobody has heard of it."""
        self.nodes.remove_pod(pod.uid)
        self._let_go(held)
        self.renominate(pod.pod)

    def _let_go(self, held: list[tuple[str, Object]]) -> bool:
        """Returns whether devices are free again that nobody else of a group waits to write."""
        released = [uid for uid, _ in held if self.claims.release(uid)]
        for uid in released:
            self.index.forget(uid)
        return bool(released)

    def class_changed(self, old: Object | None, new: Object | None) -> None:
        self.devices_version += 1
        if new is None:
            assert old is not None
            self.classes.pop(name_of(old), None)
            self.extended.remove(name_of(old))
            self.index.remove_class(name_of(old))
            return
        self.classes[name_of(new)] = new
        self.extended.put(new)
        self.index.put_class(new)
        self._announce(Happening(Kind.CLASS_CHANGED))

    def slice_changed(self, old: Object | None, new: Object | None) -> None:
        self.devices_version += 1
        if new is not None:
            self.index.put_slice(new)
        elif old is not None:
            self.index.remove_slice(name_of(old))
        # A slice that goes can help too: it may have kept a pool incomplete or invalid.
        self._announce(Happening(Kind.SLICE_CHANGED))

    def taint_rule_changed(self, old: Object | None, new: Object | None) -> None:
        """A DeviceTaintRule; taints change what slices offer, hence the happening."""
        self.devices_version += 1
        if new is not None:
            self.index.put_taint_rule(new)
        elif old is not None:
            self.index.remove_taint_rule(name_of(old))
        self._announce(Happening(Kind.SLICE_CHANGED))

    def namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._namespaces[name_of(new)] = labels_of(new)
        elif old is not None:
            self._namespaces.pop(name_of(old), None)


_NODE_KINDS = (Kind.NODE_LABELS, Kind.NODE_TAINTS, Kind.NODE_ALLOCATABLE)


def _shape(node: NodeView) -> tuple[object, object, object]:
    return node.labels, (node.taints, node.unschedulable), node.allocatable


def holds_its_node(pod: Object) -> bool:
    """Whether the pod is on a node and takes something there."""
    return bool(pod["spec"].get("nodeName")) and not is_terminal(pod)
