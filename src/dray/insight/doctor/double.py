"""Devices that a device plugin and a DRA driver give out at once."""

from collections.abc import Iterator

import orjson

from dray.api.meta import Object, key_of, name_of
from dray.insight.doctor.driver_pods import is_device_plugin
from dray.insight.doctor.finding import ERROR, Finding
from dray.insight.snapshot import Snapshot

_OWN_DOMAINS = ("kubernetes.io", "k8s.io")


def double_findings(snapshot: Snapshot) -> Iterator[Finding]:
    extended = {
        str((obj.get("spec") or {}).get("extendedResourceName")): name_of(obj)
        for obj in snapshot.classes
        if (obj.get("spec") or {}).get("extendedResourceName")
    }
    drivers: dict[str, dict[str, set[tuple[str, str]]]] = {}
    for obj in snapshot.slices:
        spec = obj["spec"]
        if node := spec.get("nodeName"):
            devices = {(spec["pool"]["name"], device["name"]) for device in spec.get("devices") or ()}
            drivers.setdefault(node, {}).setdefault(spec["driver"], set()).update(devices)
    for node in snapshot.nodes:
        yield from _of_node(
            snapshot,
            node,
            extended,
            {driver: len(devices) for driver, devices in drivers.get(name_of(node), {}).items()},
        )


def _of_node(
    snapshot: Snapshot, node: Object, extended: dict[str, str], drivers: dict[str, int]
) -> Iterator[Finding]:
    """Capacity, not what is allocatable: a plugin that has stopped leaves its resource behind with 0 allocatable."""
    status = node.get("status") or {}
    for resource, amount in (status.get("allocatable") or {}).items():
        domain = resource.partition("/")[0]
        if "/" not in resource or domain.endswith(_OWN_DOMAINS) or str(amount) == "0":
            continue
        # `gpu.example.com` and `example.com` are of one vendor; `nvidia.com` and `example.com` are not.
        same = [driver for driver in drivers if driver == domain or driver.endswith(f".{domain}")]
        if resource in extended:
            same = same or list(drivers)
        if not same:
            continue
        driver = same[0]
        by_class = (
            f"; DeviceClass {extended[resource]} offers the same resource" if resource in extended else ""
        )
        yield Finding(
            ERROR,
            f"node {name_of(node)}",
            f"a device plugin offers {resource} and driver {driver} publishes devices: they may be given out twice",
            f"status.allocatable has {amount} {resource}; {drivers[driver]} devices in slices of {driver}{by_class}",
            _stopping(snapshot, name_of(node)),
            f"stop one of the two on the node, and wait until allocatable shows 0 {resource}",
        )


def _stopping(snapshot: Snapshot, node: str) -> str:
    """A command that keeps the device plugin from a node, or shows where to look for it."""
    for obj in snapshot.daemon_sets:
        affinity = (((obj["spec"].get("template") or {}).get("spec") or {}).get("affinity") or {}).get(
            "nodeAffinity"
        )
        # A patch replaces the terms that are there, so it is only offered where there are none.
        if is_device_plugin(obj) and not affinity:
            namespace, name = key_of(obj)
            term = {
                "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node]}]
            }
            rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
            patch = {"spec": {"template": {"spec": {"affinity": {"nodeAffinity": rule}}}}}
            return f"kubectl -n {namespace} patch ds {name} --type=merge -p '{orjson.dumps(patch).decode()}'"
    return "kubectl get ds -A | grep -i device-plugin"
