"""Nodes with devices: what their kubelets know of drivers, whether their runtimes inject devices, whether they are there at all."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, key_of, name_of
from dray.insight.doctor.driver_pods import driver_pods_on, log_command, restart_command
from dray.insight.doctor.finding import ERROR, UNKNOWN, WARNING, Finding
from dray.insight.doctor.holdings import drivers_of
from dray.insight.running import INJECTION_ADVICE, injection_failure
from dray.insight.snapshot import Snapshot

_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_DRIVER_NAMED = re.compile(r"""device\.driver\s*==\s*["']([^"']+)["']""")
_DRA = "DynamicResourceAllocation"
_METRICS = "/api/v1/nodes/{}/proxy/metrics"


def node_findings(snapshot: Snapshot) -> Iterator[Finding]:
    published = _published(snapshot)
    concerned = [node for node in snapshot.nodes if name_of(node) in published]
    for node in concerned:
        yield from _condition(node, published[name_of(node)])
        yield from _kubelet_version(node)
    yield from _gates(snapshot)
    yield from _registrations(snapshot, published)
    yield from _runtimes(snapshot, concerned)
    yield from _injection(snapshot)


def _published(snapshot: Snapshot) -> dict[str, list[str]]:
    """Node -> the drivers that publish slices for it."""
    found: dict[str, dict[str, None]] = {}
    for obj in snapshot.slices:
        if node := obj["spec"].get("nodeName"):
            found.setdefault(node, {})[obj["spec"]["driver"]] = None
    return {node: list(drivers) for node, drivers in found.items()}


def _condition(node: Object, drivers: Sequence[str]) -> Iterator[Finding]:
    for condition in (node.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") != "True":
            yield Finding(
                ERROR, f"node {name_of(node)}", f"is not ready: devices of {', '.join(drivers)} cannot be used there",
                f"condition Ready is {condition.get('status')}: {condition.get('reason', '')} {condition.get('message', '')}".strip(),
                f"kubectl describe node {name_of(node)}",
            )  # fmt: skip


def _kubelet_version(node: Object) -> Iterator[Finding]:
    text = ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", "")
    match = _VERSION.match(text)
    if match and (int(match[1]), int(match[2])) < (1, 32):
        yield Finding(
            ERROR, f"node {name_of(node)}", f"its kubelet {text} is too old for DRA with ResourceSlices of resource.k8s.io/v1beta1 or newer",
            "status.nodeInfo.kubeletVersion", f"kubectl get node {name_of(node)} -o wide", "update the kubelet to 1.32 or newer",
        )  # fmt: skip


def _gates(snapshot: Snapshot) -> Iterator[Finding]:
    """Kubelets that leave claims alone: pods with claims then stay without their devices."""
    kubelets: Mapping[str, Mapping[str, Any]] = snapshot.server.get("kubelets") or {}
    off = [node for node, told in kubelets.items() if (told.get("gates") or {}).get(_DRA) is False]
    if off:
        yield Finding(
            ERROR, "kubelets", f"feature gate {_DRA} is off on {_some(off)}: pods with claims cannot start there",
            f"kubernetes_feature_enabled{{{_DRA}}} 0 in the kubelet's metrics",
            f"kubectl get --raw {_METRICS.format(off[0])} | grep {_DRA}",
            f"set featureGates.{_DRA}: true in the configuration that the kubelet really reads (its --config), and restart it",
        )  # fmt: skip


# --- registrations ---


def _registrations(snapshot: Snapshot, published: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    kubelets: Mapping[str, Mapping[str, Any]] = snapshot.server.get("kubelets") or {}
    told = {node: answer["plugins"] for node, answer in kubelets.items() if "plugins" in answer}
    missing: dict[str, dict[str, str]] = {}
    for node, drivers in published.items():
        for driver in drivers if node in told else ():
            if (seen := _unregistered(driver, told[node])) is not None:
                missing.setdefault(driver, {})[node] = seen
    for driver, nodes in missing.items():
        yield _not_registered(snapshot, driver, nodes)
    yield from _publishing_nothing(snapshot, published, told)
    prepared = _prepared(snapshot)
    existing = {name_of(node) for node in snapshot.nodes}
    silent = [
        node
        for node, drivers in published.items()
        if node in existing and node not in told and not all((node, driver) in prepared for driver in drivers)
    ]
    if silent:
        reasons = (kubelets[node]["unknown"] for node in silent if "unknown" in kubelets.get(node, {}))
        yield Finding(
            UNKNOWN, "registrations", f"whether the kubelet of {_some(silent)} knows the drivers that publish there cannot be told",
            f"the API has no object for it; kubelets' metrics could not be read: {next(reasons, 'nobody asked them')}; no pod with their devices runs there",
            f"kubectl get --raw {_METRICS.format(silent[0])} | grep plugin_manager_total_plugins",
        )  # fmt: skip


def _unregistered(driver: str, plugins: Mapping[str, bool]) -> str | None:
    """What the kubelet knows instead; None where it has the driver registered."""
    sockets = [socket for socket in plugins if is_socket_of(socket, driver)]
    if any(plugins[socket] for socket in sockets):
        return None
    if sockets:
        return f"the kubelet sees {_base(sockets[0])} and has not registered it"
    return f"the kubelet's plugins: {', '.join(map(_base, plugins)) or 'none'}"


def _not_registered(snapshot: Snapshot, driver: str, nodes: Mapping[str, str]) -> Finding:
    first = next(iter(nodes))
    return Finding(
        ERROR, f"driver {driver}", f"publishes devices for {_some(list(nodes))}, and the kubelet there does not have it registered: no pod can start with them or end",
        f"plugin_manager_total_plugins of {first}: {nodes[first]}", restart_command(snapshot, first, driver),
        f"the driver must run on {first} and put its registration socket into the kubelet's plugins_registry",
    )  # fmt: skip


def _publishing_nothing(
    snapshot: Snapshot, published: Mapping[str, Sequence[str]], told: Mapping[str, Mapping[str, bool]]
) -> Iterator[Finding]:
    """DRA drivers are told from CSI drivers, which register too, by what they publish elsewhere and by classes that name them."""
    everywhere = {obj["spec"]["driver"] for obj in snapshot.slices} | _named_by_classes(snapshot)
    shared = {obj["spec"]["driver"] for obj in snapshot.slices if not obj["spec"].get("nodeName")}
    for driver in sorted(everywhere - shared):
        nodes = [
            node
            for node, plugins in told.items()
            if driver not in published.get(node, ())
            and any(registered and is_socket_of(socket, driver) for socket, registered in plugins.items())
        ]
        if nodes:
            yield Finding(
                WARNING, f"driver {driver}", f"is registered on {_some(nodes)} and publishes no device for it",
                f"plugin_manager_total_plugins has its socket; no ResourceSlice with spec.nodeName {nodes[0]}",
                log_command(snapshot, nodes[0], driver), "right where there is no such hardware; else the driver does not find it",
            )  # fmt: skip


def _named_by_classes(snapshot: Snapshot) -> set[str]:
    """Drivers that the selectors of DeviceClasses compare with."""
    return {
        name
        for obj in snapshot.classes
        for item in (obj.get("spec") or {}).get("selectors") or ()
        for name in _DRIVER_NAMED.findall((item.get("cel") or {}).get("expression", ""))
    }


def is_socket_of(path: str, driver: str) -> bool:
    """Whether a registration socket has a driver's name: alone, with `-reg`, or with `-UID-reg` for an instance."""
    name = _base(path).removesuffix(".sock").removesuffix("-reg")
    return name == driver or name.startswith(f"{driver}-") or f"/{driver}/" in path


def _some(nodes: Sequence[str]) -> str:
    more = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
    return f"node{'s' if len(nodes) > 1 else ''} {', '.join(nodes[:3])}{more}"


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _prepared(snapshot: Snapshot) -> set[tuple[str, str]]:
    """(node, driver) where a pod with a device of the driver has started: the kubelet knew the driver then."""
    return {
        (pod["spec"].get("nodeName", ""), driver)
        for claim in snapshot.claims
        for driver in drivers_of(claim)
        for pod in snapshot.pods_by_claim.get(key_of(claim), ())
        if (pod.get("status") or {}).get("phase") == "Running"
    }


# --- device injection ---


def _runtimes(snapshot: Snapshot, nodes: Sequence[Object]) -> Iterator[Finding]:
    """By what runtimes of a version can do. Their configuration is not in the API."""
    unsure: dict[str, list[str]] = {}
    for node in nodes:
        text = ((node.get("status") or {}).get("nodeInfo") or {}).get("containerRuntimeVersion", "")
        name, _, version = text.partition("://")
        match = _VERSION.match(version)
        number = (int(match[1]), int(match[2])) if match else (0, 0)
        subject, show = f"node {name_of(node)}", f"kubectl get node {name_of(node)} -o wide"
        evidence = f"status.nodeInfo.containerRuntimeVersion is {text}"
        if name == "containerd" and match and number < (1, 7):
            yield Finding(
                ERROR, subject, "its runtime cannot inject devices by CDI: pods start without them", evidence, show,
                "update containerd to 1.7 (with enable_cdi = true) or 2.0",
            )  # fmt: skip
        elif name == "containerd" and number < (2, 0):
            unsure.setdefault(text, []).append(name_of(node))
        elif name == "cri-o" and match and number < (1, 23):
            yield Finding(
                ERROR, subject, "its runtime cannot inject devices by CDI: pods start without them", evidence, show, "update CRI-O",
            )  # fmt: skip
        elif name == "docker":
            unsure.setdefault(text, []).append(name_of(node))
    for text, names in unsure.items():
        how = (
            "features.cdi in daemon.json"
            if text.startswith("docker")
            else "enable_cdi = true in the CRI plugin's section of config.toml"
        )
        yield Finding(
            UNKNOWN, "device injection", f"whether CDI is on cannot be told for {_some(names)}: {text} has it off unless configured, and then pods start without their devices",
            f"status.nodeInfo.containerRuntimeVersion is {text}; the runtime's configuration is not in the API",
            "", f"look on the node for {how}",
        )  # fmt: skip


def _injection(snapshot: Snapshot) -> Iterator[Finding]:
    """Containers that the runtime could not create because of CDI, by node."""
    by_node: dict[str, list[tuple[Object, str]]] = {}
    for pod in snapshot.pods:
        if failure := injection_failure(snapshot, pod):
            by_node.setdefault(pod["spec"].get("nodeName", ""), []).append((pod, failure))
    for node, failures in by_node.items():
        pods = [key_of(pod) for pod, _ in failures]
        text = failures[0][1]
        how = "find the CDI descriptions of devices" if "unresolvable" in text else "inject devices"
        deletions = [f"kubectl -n {pod.namespace} delete pod {pod.name}" for pod in pods[:3]]
        restart = restart_command(snapshot, node, text) if next(driver_pods_on(snapshot, node), None) else ""
        yield Finding(
            ERROR, f"node {node}",
            f"the runtime does not {how}: containers of {', '.join(map(str, pods[:3]))}{' and others' if len(pods) > 3 else ''} cannot be created",
            text, " && ".join([*([restart] if restart else []), *deletions]), INJECTION_ADVICE,
        )  # fmt: skip
