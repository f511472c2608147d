"""What the components of a cluster may do: Kubernetes' bootstrap policy for scheduler, kubelets, proxies and signers.

A rule is written as `groups | resources | verbs`, and `| names` where only objects of some names are meant; `core` stands
for the core group.
"""

READ = "get list watch"
EVENTS = "core events.k8s.io | events | create patch update"

SCHEDULER = (
    EVENTS,
    "coordination.k8s.io | leases | create",
    "coordination.k8s.io | leases | get list update watch | kube-scheduler",
    "coordination.k8s.io | leasecandidates | create delete deletecollection get list patch update watch",
    f"core | nodes | {READ}",
    "core | pods | delete get list watch",
    "core | bindings pods/binding | create",
    "core | pods/status | patch update",
    f"core | replicationcontrollers services | {READ}",
    f"apps extensions | replicasets | {READ}",
    f"apps | statefulsets | {READ}",
    f"policy | poddisruptionbudgets | {READ}",
    f"core | persistentvolumeclaims persistentvolumes | {READ}",
    "authentication.k8s.io | tokenreviews | create",
    "authorization.k8s.io | subjectaccessreviews | create",
    f"storage.k8s.io | csinodes | {READ}",
    f"storage.k8s.io | volumeattachments | {READ}",
    f"core | namespaces | {READ}",
    f"storage.k8s.io | csidrivers | {READ}",
    f"storage.k8s.io | csistoragecapacities | {READ}",
    f"resource.k8s.io | deviceclasses | {READ}",
    "resource.k8s.io | resourceclaims | get list patch update watch",
    "resource.k8s.io | resourceclaims/status | get list patch update watch",
    "core | pods/finalizers | update",
    f"resource.k8s.io | resourceslices | {READ}",
    "resource.k8s.io | resourceclaims | create delete",
    "resource.k8s.io | resourceclaims/binding | patch update",
)
TAINT_RULES: dict[str, tuple[str, ...]] = {
    "system:kube-scheduler": (f"resource.k8s.io | devicetaintrules | {READ}",),
    "system:controller:device-taint-eviction-controller": (
        f"resource.k8s.io | devicetaintrules | {READ}",
        "resource.k8s.io | devicetaintrules/status | patch update",
    ),
}
"""What roles may do besides where taint rules are on."""
_GROUPS = "scheduling.k8s.io | podgroups"
POD_GROUPS: dict[str, tuple[str, ...]] = {
    "system:aggregate-to-view": (f"scheduling.k8s.io | workloads podgroups podgroups/status | {READ}",),
    "system:aggregate-to-edit": (
        "scheduling.k8s.io | workloads podgroups | create delete deletecollection patch update",
    ),
    "system:kube-scheduler": (f"{_GROUPS} | {READ}", f"{_GROUPS}/status | patch update"),
}
"""What roles may do besides where pods belong to groups."""
GROUP_CLAIMS: dict[str, tuple[str, ...]] = {
    "system:controller:resource-claim-controller": (
        f"{_GROUPS} | {READ}",
        f"{_GROUPS}/status | patch update",
    ),
}
"""What roles may do besides where groups have claims."""
NODE = (
    "authentication.k8s.io | tokenreviews | create",
    "authorization.k8s.io | localsubjectaccessreviews subjectaccessreviews | create",
    f"core | services | {READ}",
    "core | nodes | create get list watch",
    "core | nodes/status | patch update",
    "core | nodes | patch update",
    EVENTS,
    f"core | pods | {READ}",
    "core | pods | create delete",
    "core | pods/status | patch update",
    "core | pods/eviction | create",
    f"core | configmaps secrets | {READ}",
    "core | persistentvolumeclaims persistentvolumes | get",
    "core | endpoints | get",
    "certificates.k8s.io | certificatesigningrequests | create get list watch",
    "coordination.k8s.io | leases | create delete get patch update",
    "storage.k8s.io | volumeattachments | get",
    "core | serviceaccounts/token | create",
    "core | persistentvolumeclaims/status | get patch update",
    f"storage.k8s.io | csidrivers | {READ}",
    "storage.k8s.io | csinodes | create delete get patch update",
    f"node.k8s.io | runtimeclasses | {READ}",
    "resource.k8s.io | resourceclaims | get",
    "resource.k8s.io | resourceslices | deletecollection",
    "core | serviceaccounts | get",
)
CONTROLLER_MANAGER = (
    EVENTS,
    "coordination.k8s.io | leases | create",
    "coordination.k8s.io | leases | get update",
    "core | secrets serviceaccounts | create",
    "core | secrets | delete",
    "core | configmaps namespaces secrets serviceaccounts | get",
    "core | secrets serviceaccounts | update",
    "authentication.k8s.io | tokenreviews | create",
    "authorization.k8s.io | subjectaccessreviews | create",
    "* | * | list watch",
    "core | serviceaccounts/token | create",
)

_VOLUMES = "core | persistentvolumeclaims persistentvolumes | get list patch update watch"
_SIGNERS = "certificates.k8s.io | signers | approve"
_REVIEWS = (
    "authentication.k8s.io | tokenreviews | create",
    "authorization.k8s.io | subjectaccessreviews | create",
)

OTHERS: dict[str, tuple[str, ...]] = {
    "system:volume-scheduler": (_VOLUMES, f"storage.k8s.io | storageclasses | {READ}"),
    "system:node-proxier": (
        "core | endpoints services | list watch",
        f"core | nodes | {READ}",
        "discovery.k8s.io | endpointslices | list watch",
        "networking.k8s.io | servicecidrs | list watch",
        EVENTS,
    ),
    "system:kube-dns": ("core | endpoints services | list watch",),
    "system:node-bootstrapper": ("certificates.k8s.io | certificatesigningrequests | create get list watch",),
    "system:node-problem-detector": ("core | nodes | get", "core | nodes/status | patch", EVENTS),
    "system:auth-delegator": _REVIEWS,
    "system:persistent-volume-provisioner": (
        "core | persistentvolumes | create delete get list watch",
        "core | persistentvolumeclaims | get list update watch",
        f"storage.k8s.io | storageclasses | {READ}",
        "core | events | watch",
        EVENTS,
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        "certificates.k8s.io | certificatesigningrequests/nodeclient | create",
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        "certificates.k8s.io | certificatesigningrequests/selfnodeclient | create",
    ),
    **{
        f"system:certificates.k8s.io:{signer}-approver": (f"{_SIGNERS} | kubernetes.io/{signer}",)
        for signer in (
            "kube-apiserver-client",
            "kube-apiserver-client-kubelet",
            "kubelet-serving",
            "legacy-unknown",
        )
    },
}
"""Roles by name; who has them is in `bootstrap`."""
