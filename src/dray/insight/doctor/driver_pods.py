"""Which DaemonSets are those of DRA drivers and of device plugins, by their looks, and which pods they have where."""

from collections.abc import Iterator

from dray.api.meta import Object, key_of, name_of
from dray.insight.snapshot import Snapshot

_DRIVER_MARKS = ("dra-", "-dra", "kubelet-plugin", "kubeletplugin")
_PLUGIN_MARKS = ("device-plugin", "deviceplugin")


def is_driver(daemon_set: Object) -> bool:
    return _looks_like(daemon_set, _DRIVER_MARKS) and not is_device_plugin(daemon_set)


def is_device_plugin(daemon_set: Object) -> bool:
    return _looks_like(daemon_set, _PLUGIN_MARKS)


def _looks_like(daemon_set: Object, marks: tuple[str, ...]) -> bool:
    """By name, images and names of containers."""
    spec = (daemon_set["spec"].get("template") or {}).get("spec") or {}
    texts = [name_of(daemon_set)]
    for container in spec.get("containers") or ():
        texts += [container.get("image", "").rpartition("/")[2], container.get("name", "")]
    return any(mark in text for text in texts for mark in marks)


def driver_pods_on(snapshot: Snapshot, node: str) -> Iterator[Object]:
    """Pods of DaemonSets that look like DRA drivers."""
    sets = {key_of(each) for each in snapshot.daemon_sets if is_driver(each)}
    for pod in snapshot.pods_by_node.get(node, ()):
        namespace = key_of(pod).namespace
        for owner in pod["metadata"].get("ownerReferences") or ():
            if owner.get("kind") == "DaemonSet" and (namespace, owner["name"]) in sets:
                yield pod


def log_command(snapshot: Snapshot, node: str, driver: str) -> str:
    """A command that shows what the driver says on a node, or where to look for it."""
    pods = sorted(driver_pods_on(snapshot, node), key=lambda pod: not _is_of(pod, driver))
    if not pods:
        return f"kubectl get pods -A --field-selector spec.nodeName={node}"
    namespace, name = key_of(pods[0])
    return f"kubectl -n {namespace} logs {name} --all-containers --tail=50"


def restart_command(snapshot: Snapshot, node: str, driver: str) -> str:
    """A command that makes the DaemonSet start the driver on a node anew, or shows where to look for it."""
    pods = sorted(driver_pods_on(snapshot, node), key=lambda pod: not _is_of(pod, driver))
    if not pods:
        return f"kubectl get pods -A --field-selector spec.nodeName={node}"
    namespace, name = key_of(pods[0])
    return f"kubectl -n {namespace} delete pod {name}"


def _is_of(pod: Object, driver: str) -> bool:
    """Whether the pod's name tells of a driver: `gpu.example.com` and `nvidia-gpu-kubelet-plugin-x7`."""
    name = name_of(pod)
    return any(
        part in name for part in driver.split(".") if len(part) > 2 and part not in ("com", "org", "example")
    )
