"""The gRPC services between the kubelet, DRA drivers and node tools, with Kubernetes' names and numbers.

    REGISTRATION   pluginregistration.Registration      served by a driver on its registration socket
    DRA            DRAPlugin, v1 and v1beta1            served by a driver on its service socket
    HEALTH         DRAResourceHealth, v1 and v1alpha1   the same socket, streaming
    POD_RESOURCES  v1.PodResourcesLister                served by the kubelet
    GRPC_HEALTH    grpc.health.v1.Health                what gRPC probes ask

v1 and v1beta1 of DRAPlugin differ in their package and in `Device.share_id`, which v1beta1 lacks.
"""

from collections.abc import Mapping
from typing import Final

from dray.wire.schema import Package, ProtoFile, Rpc

REGISTRATION: Final = Package(
    ProtoFile(
        package="pluginregistration",
        messages={
            "PluginInfo": (
                "1 type string",
                "2 name string",
                "3 endpoint string",
                "4 supported_versions repeated string",
            ),
            "RegistrationStatus": ("1 plugin_registered bool", "2 error string"),
            "RegistrationStatusResponse": (),
            "InfoRequest": (),
        },
        services={
            "Registration": {
                "GetInfo": Rpc("InfoRequest", "PluginInfo"),
                "NotifyRegistrationStatus": Rpc("RegistrationStatus", "RegistrationStatusResponse"),
            }
        },
    )
)


def _dra(version: str, *, share_id: bool) -> Package:
    device = [
        "1 request_names repeated string",
        "2 pool_name string",
        "3 device_name string",
        "4 cdi_device_ids repeated string",
    ]
    if share_id:
        device.append("5 share_id optional string")
    return Package(
        ProtoFile(
            package=f"k8s.io.kubelet.pkg.apis.dra.{version}",
            messages={
                "Claim": ("1 namespace string", "2 uid string", "3 name string"),
                "Device": device,
                "NodePrepareResourcesRequest": ("1 claims repeated Claim",),
                "NodePrepareResourcesResponse": ("1 claims map NodePrepareResourceResponse",),
                "NodePrepareResourceResponse": ("1 devices repeated Device", "2 error string"),
                "NodeUnprepareResourcesRequest": ("1 claims repeated Claim",),
                "NodeUnprepareResourcesResponse": ("1 claims map NodeUnprepareResourceResponse",),
                "NodeUnprepareResourceResponse": ("1 error string",),
            },
            services={
                "DRAPlugin": {
                    "NodePrepareResources": Rpc(
                        "NodePrepareResourcesRequest", "NodePrepareResourcesResponse"
                    ),
                    "NodeUnprepareResources": Rpc(
                        "NodeUnprepareResourcesRequest", "NodeUnprepareResourcesResponse"
                    ),
                }
            },
        )
    )


def _health(version: str) -> Package:
    return Package(
        ProtoFile(
            package=version,
            messages={
                "NodeWatchResourcesRequest": (),
                "NodeWatchResourcesResponse": ("1 devices repeated DeviceHealth",),
                "DeviceIdentifier": ("1 pool_name string", "2 device_name string"),
                "DeviceHealth": (
                    "1 device DeviceIdentifier",
                    "2 health HealthStatus",
                    "3 last_updated_time int64",
                    "4 health_check_timeout_seconds int64",
                    "5 message string",
                ),
            },
            enums={"HealthStatus": ("UNKNOWN", "HEALTHY", "UNHEALTHY")},
            services={
                "DRAResourceHealth": {
                    "NodeWatchResources": Rpc(
                        "NodeWatchResourcesRequest", "NodeWatchResourcesResponse", streams=True
                    )
                }
            },
        )
    )


DRA: Final[Mapping[str, Package]] = {
    "v1": _dra("v1", share_id=True),
    "v1beta1": _dra("v1beta1", share_id=False),
}
"""API version -> package, in order of preference."""

HEALTH: Final[Mapping[str, Package]] = {"v1": _health("v1"), "v1alpha1": _health("v1alpha1")}

POD_RESOURCES: Final = Package(
    ProtoFile(
        package="v1",
        messages={
            "AllocatableResourcesRequest": (),
            "AllocatableResourcesResponse": (
                "1 devices repeated ContainerDevices",
                "2 cpu_ids repeated int64",
                "3 memory repeated ContainerMemory",
            ),
            "ListPodResourcesRequest": (),
            "ListPodResourcesResponse": ("1 pod_resources repeated PodResources",),
            "GetPodResourcesRequest": ("1 pod_name string", "2 pod_namespace string"),
            "GetPodResourcesResponse": ("1 pod_resources PodResources",),
            "PodResources": (
                "1 name string",
                "2 namespace string",
                "3 containers repeated ContainerResources",
                "4 cpu_ids repeated int64",
                "5 memory repeated ContainerMemory",
            ),
            "ContainerResources": (
                "1 name string",
                "2 devices repeated ContainerDevices",
                "3 cpu_ids repeated int64",
                "4 memory repeated ContainerMemory",
                "5 dynamic_resources repeated DynamicResource",
            ),
            "ContainerMemory": ("1 memory_type string", "2 size uint64", "3 topology TopologyInfo"),
            "ContainerDevices": (
                "1 resource_name string",
                "2 device_ids repeated string",
                "3 topology TopologyInfo",
            ),
            "TopologyInfo": ("1 nodes repeated NUMANode",),
            "NUMANode": ("1 ID int64",),
            "DynamicResource": (
                "2 claim_name string",
                "3 claim_namespace string",
                "4 claim_resources repeated ClaimResource",
            ),
            "ClaimResource": (
                "1 cdi_devices repeated CDIDevice",
                "2 driver_name string",
                "3 pool_name string",
                "4 device_name string",
                "5 share_id optional string",
            ),
            "CDIDevice": ("1 name string",),
        },
        services={
            "PodResourcesLister": {
                "List": Rpc("ListPodResourcesRequest", "ListPodResourcesResponse"),
                "GetAllocatableResources": Rpc("AllocatableResourcesRequest", "AllocatableResourcesResponse"),
                "Get": Rpc("GetPodResourcesRequest", "GetPodResourcesResponse"),
            }
        },
    )
)

GRPC_HEALTH: Final = Package(
    ProtoFile(
        package="grpc.health.v1",
        messages={
            "HealthCheckRequest": ("1 service string",),
            "HealthCheckResponse": ("1 status ServingStatus",),
        },
        enums={"ServingStatus": ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")},
        services={
            "Health": {
                "Check": Rpc("HealthCheckRequest", "HealthCheckResponse"),
                "Watch": Rpc("HealthCheckRequest", "HealthCheckResponse", streams=True),
            }
        },
    )
)

PLUGIN_TYPE_DRA: Final = "DRAPlugin"
SERVICE_DRA: Final[Mapping[str, str]] = {version: f"{version}.DRAPlugin" for version in DRA}
"""API version -> the string that advertises it in `PluginInfo.supported_versions`."""
SERVICE_HEALTH: Final[Mapping[str, str]] = {version: f"{version}.DRAResourceHealth" for version in HEALTH}
