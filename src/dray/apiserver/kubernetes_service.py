"""The service `kubernetes` in `default`: how pods find the API server, and where it answers."""

from collections.abc import Sequence

from dray.api.meta import Object

NAME = "kubernetes"
NAMESPACE = "default"
_PORT = 443


def service(ip: str, port: int) -> Object:
    """`port` is the server's own."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata({"component": "apiserver", "provider": "kubernetes"}),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "https", "port": _PORT, "protocol": "TCP", "targetPort": port}],
        },
    }


def addresses(ip: str, port: int) -> Sequence[Object]:
    """Where the service leads, in both forms that clients read. `ip` is not of the loopback: nobody else would reach it."""
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": _metadata({"endpointslice.kubernetes.io/skip-mirror": "true"}),
        "subsets": [{"addresses": [{"ip": ip}], "ports": ports}],
    }
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata({"kubernetes.io/service-name": NAME}),
        "addressType": "IPv6" if ":" in ip else "IPv4",
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}],
        "ports": ports,
    }
    return endpoints, endpoint_slice


def _metadata(labels: dict[str, str]) -> Object:
    return {"name": NAME, "namespace": NAMESPACE, "labels": labels}
