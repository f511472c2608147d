"""Defaults of pods and pod templates, as the API server fills them in before anything else sees the object.

A template gets what is common to every pod made from it; what only a pod itself gets (service links, requests that
follow limits, host ports on the host network) is in `default_pod`.
"""

from collections.abc import Iterator

from dray.api.meta import Object
from dray.api.pod_level import default_requests
from dray.api.validation.lists import items_of
from dray.apiserver.registry.volume_defaults import default_pull_policy, default_volume

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def default_pod(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    for container in (*items_of(spec.get("containers")), *items_of(spec.get("initContainers"))):
        _requests_follow_limits(container.get("resources"))
        if spec.get("hostNetwork"):
            _publish_on_host(container)
    default_requests(spec)


def default_template(template: Object | None) -> None:
    if template is not None:
        default_pod_spec(template.setdefault("spec", {}))


def default_pod_spec(spec: Object) -> None:
    for field, value in (
        ("restartPolicy", "Always"),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
    ):
        if not spec.get(field):
            spec[field] = value
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    mirror_service_account(spec)
    for volume in spec.get("volumes") or ():
        if volume is not None:
            default_volume(volume)
    for container in containers(spec):
        _default_container(container)


def mirror_service_account(spec: Object) -> None:
    """The deprecated `serviceAccount` always says what `serviceAccountName` says."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def containers(spec: Object) -> Iterator[Object]:
    """Containers of every sort."""
    for field in _CONTAINER_LISTS:
        for container in spec.get(field) or ():
            if container is not None:
                yield container


def _default_container(container: Object) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = default_pull_policy(container.get("image") or "")
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    for port in items_of(container.get("ports")):
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in items_of(container.get("env")):
        source = variable.get("valueFrom") or {}
        default_field_reference(source.get("fieldRef"))
        if source.get("fileKeyRef") is not None and source["fileKeyRef"].get("optional") is None:
            source["fileKeyRef"]["optional"] = False
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            _default_probe(container[probe])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _default_http_get(handler)


def default_field_reference(reference: Object | None) -> None:
    if reference is not None and not reference.get("apiVersion"):
        reference["apiVersion"] = "v1"


def _default_probe(probe: Object) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    grpc = probe.get("grpc")
    if grpc is not None and grpc.get("service") is None:
        grpc["service"] = ""
    _default_http_get(probe)


def _default_http_get(handler: Object) -> None:
    request = handler.get("httpGet")
    if request is None:
        return
    if not request.get("path"):
        request["path"] = "/"
    if not request.get("scheme"):
        request["scheme"] = "HTTP"


def _requests_follow_limits(resources: Object | None) -> None:
    limits = (resources or {}).get("limits")
    if not resources or not limits:
        return
    resources["requests"] = {**limits, **(resources.get("requests") or {})}


def _publish_on_host(container: Object) -> None:
    for port in items_of(container.get("ports")):
        if not port.get("hostPort") and port.get("containerPort"):
            port["hostPort"] = port["containerPort"]
