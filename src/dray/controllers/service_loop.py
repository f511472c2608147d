"""What loops about services have in common: which services a change of a pod concerns, and which pods a service has."""

from collections.abc import Iterator
from typing import Final

from dray.api.meta import Object, labels_of, namespace_of
from dray.client.informer import Informer
from dray.controllers.base import Controller
from dray.controllers.service_pods import pods_behind, selects_pod

NAMESPACE_INDEX: Final = "namespace"


def follow_services(loop: Controller, services: Informer, pods: Informer) -> None:
    """Enqueue every service whose pods change in what is written of them."""
    for informer in (services, pods):
        if not informer.cache.has_index(NAMESPACE_INDEX):
            informer.add_index(NAMESPACE_INDEX, lambda obj: (namespace_of(obj),))

    def changed(*states: Object) -> None:
        for service in services.cache.by_index(NAMESPACE_INDEX, namespace_of(states[0])):
            if any(selects_pod(service, pod) for pod in states):
                loop._enqueue(service)

    def updated(old: Object, new: Object) -> None:
        if _of_interest(old) != _of_interest(new):
            changed(old, new)

    pods.add_handler(on_add=changed, on_update=updated, on_delete=changed)


def _of_interest(pod: Object) -> object:
    status = pod.get("status") or {}
    conditions = [(each.get("type"), each.get("status")) for each in status.get("conditions") or ()]
    return (
        labels_of(pod),
        pod["spec"].get("nodeName"),
        pod["metadata"].get("deletionTimestamp") is None,
        status.get("phase"),
        status.get("podIPs"),
        conditions,
    )


def pods_of(pods: Informer, service: Object) -> Iterator[Object]:
    return pods_behind(service, pods.cache.by_index(NAMESPACE_INDEX, namespace_of(service)))
