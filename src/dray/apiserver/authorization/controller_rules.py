"""What each controller of the controller manager may do, by the name of its service account in kube-system.

They cover Kubernetes' own controllers, which run under these accounts against this server, and the ones here.
"""

from dray.api.features import FeatureGates
from dray.apiserver.authorization.component_rules import EVENTS, READ

_RBAC = "rbac.authorization.k8s.io"
_CLAIMS = "core | persistentvolumeclaims"
_VOLUMES = "core | persistentvolumes"
_SLICES = (
    "discovery.k8s.io | endpointslices | create delete get list update",
    "discovery.k8s.io | endpointslices/restricted | create",
)

_CLAIM_WRITES = "resource.k8s.io | resourceclaims resourceclaims/status | patch update"

_CONTROLLERS: dict[str, tuple[str, ...]] = {
    "resource-claim-controller": (
        f"core | pods | {READ}",
        "core | pods/finalizers | update",
        "resource.k8s.io | resourceclaims | create delete get list watch",
        _CLAIM_WRITES,
        "core | pods/status | patch update",
        EVENTS,
        "resource.k8s.io | resourceclaims/binding | patch update",
    ),
    "device-taint-eviction-controller": (
        "core | pods | delete get list watch",
        "core | pods/status | patch update",
        f"resource.k8s.io | resourceclaims | {READ}",
        f"resource.k8s.io | resourceslices | {READ}",
        f"resource.k8s.io | deviceclasses | {READ}",
        EVENTS,
    ),
    "daemon-set-controller": (
        "apps extensions | daemonsets | get list watch",
        "apps extensions | daemonsets/status | update",
        "apps extensions | daemonsets/finalizers | update",
        f"core | nodes | {READ}",
        "core | pods | create delete get list patch watch",
        "core | pods/binding | create",
        "apps | controllerrevisions | create delete get list patch update watch",
        EVENTS,
    ),
    "replicaset-controller": (
        "apps extensions | replicasets | get list update watch",
        "apps extensions | replicasets/status | update",
        "apps extensions | replicasets/finalizers | update",
        "core | pods | create delete get list patch watch",
        EVENTS,
    ),
    "deployment-controller": (
        "apps extensions | deployments | get list update watch",
        "apps extensions | deployments/status | update",
        "apps extensions | deployments/finalizers | update",
        "apps extensions | replicasets | create delete get list patch update watch",
        "core | pods | get list update watch",
        EVENTS,
    ),
    "job-controller": (
        "batch | jobs | get list patch update watch",
        "batch | jobs/status | update",
        "batch | jobs/finalizers | update",
        # Upstream patches the tracking finalizer away; this controller updates the pod.
        "core | pods | create delete get list patch update watch",
        EVENTS,
    ),
    "namespace-controller": (
        "core | namespaces | delete get list watch",
        "core | namespaces/finalize namespaces/status | update",
        "* | * | delete deletecollection get list",
    ),
    "generic-garbage-collector": ("* | * | delete get list patch update watch", EVENTS),
    "node-controller": (
        "core | nodes | delete get list patch update",
        "core | nodes/status | patch update",
        "core | pods/status | patch update",
        "core | pods | delete get list",
        f"coordination.k8s.io | leases | {READ}",
        EVENTS,
    ),
    "taint-eviction-controller": (
        "core | pods | delete get list",
        "core | nodes | get list",
        "core | pods/status | patch update",
        EVENTS,
    ),
    "pod-garbage-collector": (
        "core | pods | delete list watch",
        "core | nodes | get list",
        "core | pods/status | patch",
    ),
    "service-account-controller": ("core | serviceaccounts | create", EVENTS),
    "root-ca-cert-publisher": ("core | configmaps | create update", EVENTS),
    "clusterrole-aggregation-controller": (f"{_RBAC} | clusterroles | escalate get list patch update watch",),
}

_STORAGE_CONTROLLERS: dict[str, tuple[str, ...]] = {
    "attachdetach-controller": (
        "core | persistentvolumeclaims persistentvolumes pods | list watch",
        f"core | nodes | {READ}",
        "core | nodes/status | patch update",
        "storage.k8s.io | volumeattachments | create delete get list patch watch",
        f"storage.k8s.io | csidrivers csinodes | {READ}",
        EVENTS,
    ),
    "ephemeral-volume-controller": (
        f"core | pods | {READ}",
        "core | pods/finalizers | update",
        f"{_CLAIMS} | create get list watch",
        EVENTS,
    ),
    "expand-controller": (
        f"{_VOLUMES} | get list patch update watch",
        "core | persistentvolumeclaims/status | patch update",
        f"{_CLAIMS} | {READ}",
        f"core | nodes pods | {READ}",
        "core | endpoints services | get",
        "core | secrets | get",
        f"storage.k8s.io | storageclasses | {READ}",
        EVENTS,
    ),
    "persistent-volume-binder": (
        f"{_VOLUMES} | create delete get list patch update watch",
        "core | persistentvolumes/status | patch update",
        f"{_CLAIMS} | get list patch update watch",
        "core | persistentvolumeclaims/status | patch update",
        f"storage.k8s.io | storageclasses | {READ}",
        "core | pods | create delete get list watch",
        "core | endpoints services | create delete get update",
        "core | secrets | get",
        f"core | nodes | {READ}",
        "core | events | watch",
        EVENTS,
    ),
    "pv-protection-controller": (f"{_VOLUMES} | get list update watch", EVENTS),
    "pvc-protection-controller": (f"{_CLAIMS} | get list update watch", f"core | pods | {READ}", EVENTS),
    "volumeattributesclass-protection-controller": (
        f"core | persistentvolumeclaims persistentvolumes | {READ}",
        "storage.k8s.io | volumeattributesclasses | get list update watch",
        EVENTS,
    ),
    "selinux-warning-controller": (
        f"core | persistentvolumeclaims persistentvolumes pods | {READ}",
        f"storage.k8s.io | csidrivers | {READ}",
        EVENTS,
    ),
}

_SERVICE_CONTROLLERS: dict[str, tuple[str, ...]] = {
    "endpoint-controller": (
        f"core | pods services | {READ}",
        "core | endpoints | create delete get list update",
        "core | endpoints/restricted | create",
        EVENTS,
    ),
    "endpointslice-controller": (
        f"core | nodes pods services | {READ}",
        "core | services/finalizers | update",
        *_SLICES,
        EVENTS,
    ),
    "endpointslicemirroring-controller": (
        f"core | endpoints services | {READ}",
        "core | endpoints/finalizers services/finalizers | update",
        *_SLICES,
        EVENTS,
    ),
    "route-controller": ("core | nodes | list watch", "core | nodes/status | patch", EVENTS),
    "service-cidrs-controller": (
        "networking.k8s.io | servicecidrs | get list patch update watch",
        "networking.k8s.io | servicecidrs/finalizers servicecidrs/status | patch update",
        f"networking.k8s.io | ipaddresses | {READ}",
        EVENTS,
    ),
    "service-controller": (
        f"core | services | {READ}",
        "core | services/status | patch update",
        "core | nodes | list watch",
        EVENTS,
    ),
}

_OTHER_CONTROLLERS: dict[str, tuple[str, ...]] = {
    "certificate-controller": (
        "certificates.k8s.io | certificatesigningrequests | delete get list watch",
        "certificates.k8s.io | certificatesigningrequests/approval certificatesigningrequests/status | update",
        "certificates.k8s.io | signers | approve | kubernetes.io/kube-apiserver-client-kubelet",
        "certificates.k8s.io | signers | sign | kubernetes.io/kube-apiserver-client "
        "kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
        "authorization.k8s.io | subjectaccessreviews | create",
        EVENTS,
    ),
    "cronjob-controller": (
        "batch | cronjobs | get list update watch",
        "batch | jobs | create delete get list patch update watch",
        "batch | cronjobs/finalizers cronjobs/status | update",
        "core | pods | delete list",
        EVENTS,
    ),
    "disruption-controller": (
        f"apps extensions | deployments replicasets | {READ}",
        f"apps | statefulsets | {READ}",
        f"core | replicationcontrollers | {READ}",
        f"policy | poddisruptionbudgets | {READ}",
        "policy | poddisruptionbudgets/status | update",
        "core | pods/status | patch update",
        "* | */scale | get",
        EVENTS,
    ),
    "horizontal-pod-autoscaler": (
        f"autoscaling | horizontalpodautoscalers | {READ}",
        "autoscaling | horizontalpodautoscalers/status | update",
        "* | */scale | get update",
        "core | pods | list",
        "metrics.k8s.io | pods | list",
        "custom.metrics.k8s.io external.metrics.k8s.io | * | get list",
        EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        "core | configmaps | get | kube-apiserver-legacy-service-account-token-tracking",
        "core | secrets | delete patch",
    ),
    "replication-controller": (
        "core | replicationcontrollers | get list update watch",
        "core | replicationcontrollers/finalizers replicationcontrollers/status | update",
        "core | pods | create delete get list patch watch",
        EVENTS,
    ),
    "resourcequota-controller": ("* | * | list watch", "core | resourcequotas/status | update", EVENTS),
    "statefulset-controller": (
        "core | pods | create delete get list patch update watch",
        f"apps | statefulsets | {READ}",
        "apps | statefulsets/finalizers statefulsets/status | update",
        "apps | controllerrevisions | create delete get list patch update watch",
        f"{_CLAIMS} | create delete get list update watch",
        EVENTS,
    ),
    "ttl-after-finished-controller": ("batch | jobs | delete get list watch", EVENTS),
    "ttl-controller": ("core | nodes | list patch update watch", EVENTS),
    "validatingadmissionpolicy-status-controller": (
        f"admissionregistration.k8s.io | validatingadmissionpolicies | {READ}",
        "admissionregistration.k8s.io | validatingadmissionpolicies/status | get patch update",
        EVENTS,
    ),
}

_POOL_STATUS = {
    "resourcepoolstatusrequest-controller": (
        "resource.k8s.io | resourcepoolstatusrequests | delete get list watch",
        "resource.k8s.io | resourcepoolstatusrequests/status | patch update",
        f"resource.k8s.io | resourceslices | {READ}",
        f"resource.k8s.io | resourceclaims | {READ}",
    ),
}
_SUMMED_POOL_STATUS = {
    name: (*rules, f"resource.k8s.io | devicetaintrules | {READ}") for name, rules in _POOL_STATUS.items()
}
"""As since 1.37, where answers tell of taints."""

_GROUP_PROTECTION = {
    "podgroup-protection-controller": (
        "scheduling.k8s.io | podgroups | get list update watch",
        f"core | pods | {READ}",
    ),
}


def controllers(features: FeatureGates) -> dict[str, tuple[str, ...]]:
    """The rules of each; some features bring a controller with them."""
    sums = "DRAPartitionableDevicesType" in features.later()
    pool_status = _SUMMED_POOL_STATUS if sums else _POOL_STATUS
    return {
        **_CONTROLLERS,
        **_STORAGE_CONTROLLERS,
        **_SERVICE_CONTROLLERS,
        **_OTHER_CONTROLLERS,
        **(pool_status if features.enabled("DRAResourcePoolStatus") else {}),
        **(_GROUP_PROTECTION if features.enabled("GenericWorkload") else {}),
    }
