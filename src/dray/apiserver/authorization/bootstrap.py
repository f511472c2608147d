"""The roles and bindings every cluster starts with: Kubernetes' bootstrap policy, for what dray serves.

A rule is written as `groups | resources | verbs`; `core` stands for the core group. Built at first use.
"""

from collections.abc import Iterable

from dray.api.features import FeatureGates
from dray.api.meta import Object

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
ALL = f"{WRITE} {READ}"
EVENTS = "core events.k8s.io | events | create patch update"

GROUP = "rbac.authorization.k8s.io"
API_VERSION = f"{GROUP}/v1"

_VIEW = (
    "core | configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
    f"replicationcontrollers/scale serviceaccounts services services/status | {READ}",
    "core | bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas "
    f"resourcequotas/status | {READ}",
    f"core | namespaces | {READ}",
    f"core events.k8s.io | events | {READ}",
    f"discovery.k8s.io | endpointslices | {READ}",
    "apps | controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets "
    f"replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status | {READ}",
    f"autoscaling | horizontalpodautoscalers horizontalpodautoscalers/status | {READ}",
    f"batch | cronjobs cronjobs/status jobs jobs/status | {READ}",
    "extensions | daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses "
    "ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale "
    f"| {READ}",
    f"policy | poddisruptionbudgets poddisruptionbudgets/status | {READ}",
    f"networking.k8s.io | ingresses ingresses/status networkpolicies | {READ}",
    f"resource.k8s.io | resourceclaims resourceclaims/status resourceclaimtemplates | {READ}",
)
_EDIT = (
    f"core | pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy | {READ}",
    "core | serviceaccounts | impersonate",
    f"core | pods pods/attach pods/exec pods/portforward pods/proxy | {WRITE}",
    "core | pods/eviction | create",
    "core | configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
    f"serviceaccounts services services/proxy | {WRITE}",
    "core | serviceaccounts/token | create",
    f"core events.k8s.io | events | {WRITE}",
    "apps | daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
    f"statefulsets/scale | {WRITE}",
    f"autoscaling | horizontalpodautoscalers | {WRITE}",
    f"batch | cronjobs jobs | {WRITE}",
    "extensions | daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets "
    f"replicasets/scale replicationcontrollers/scale | {WRITE}",
    f"policy | poddisruptionbudgets | {WRITE}",
    f"networking.k8s.io | ingresses networkpolicies | {WRITE}",
    "coordination.k8s.io | leases | create delete deletecollection get list patch update watch",
    f"resource.k8s.io | resourceclaims resourceclaimtemplates | {WRITE}",
)
_ADMIN = (
    "authorization.k8s.io | localsubjectaccessreviews | create",
    f"{GROUP} | rolebindings roles | create delete deletecollection get list patch update watch",
)
_SCHEDULER = (
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
_TAINT_RULES: dict[str, tuple[str, ...]] = {
    "system:kube-scheduler": (f"resource.k8s.io | devicetaintrules | {READ}",),
    "system:controller:device-taint-eviction-controller": (
        f"resource.k8s.io | devicetaintrules | {READ}",
        "resource.k8s.io | devicetaintrules/status | patch update",
    ),
}
"""What roles may do besides where taint rules are on."""
_NODE = (
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
_CONTROLLER_MANAGER = (
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
    "clusterrole-aggregation-controller": (f"{GROUP} | clusterroles | escalate get list patch update watch",),
}

_POOL_STATUS = {
    "resourcepoolstatusrequest-controller": (
        "resource.k8s.io | resourcepoolstatusrequests | delete get list watch",
        "resource.k8s.io | resourcepoolstatusrequests/status | patch update",
        f"resource.k8s.io | resourceslices | {READ}",
        f"resource.k8s.io | resourceclaims | {READ}",
    ),
}


def _controllers(features: FeatureGates) -> dict[str, tuple[str, ...]]:
    return {**_CONTROLLERS, **(_POOL_STATUS if features.enabled("DRAResourcePoolStatus") else {})}


def bootstrap_policy(features: FeatureGates | None = None) -> list[Object]:
    """Every ClusterRole, Role and binding a new cluster holds, roles first; some features bring rules with them."""
    features = features or FeatureGates()
    return [*_cluster_roles(features), *_cluster_bindings(features), *_roles(), *_role_bindings()]


def node_rules() -> list[Object]:
    """What the node authorizer grants every kubelet; also the content of the role `system:node`."""
    return [parse_rule(rule) for rule in _NODE]


def parse_rule(text: str) -> Object:
    """From `groups | resources | verbs`, and `| names` where only objects of some names are meant."""
    groups, resources, verbs, *names = (part.split() for part in text.split("|"))
    rule: Object = {
        "apiGroups": ["" if group == "core" else group for group in groups],
        "resources": resources,
        "verbs": verbs,
    }
    return {**rule, "resourceNames": names[0]} if names else rule


def _url_rule(verbs: str, *urls: str) -> Object:
    return {"nonResourceURLs": list(urls), "verbs": verbs.split()}


def _meta(name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    meta: Object = {
        "name": name,
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
    }
    return {**meta, "namespace": namespace} if namespace else meta


def _role(
    name: str, rules: Iterable[str | Object], labels: dict[str, str] | None = None, namespace: str = ""
) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": _meta(name, namespace, labels),
        "rules": [parse_rule(rule) if isinstance(rule, str) else rule for rule in rules],
    }


def _aggregated(name: str, into: str) -> Object:
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{into}": "true"} if into else None
    selector = {"matchLabels": {f"rbac.authorization.k8s.io/aggregate-to-{name}": "true"}}
    role = _role(name, (), labels)
    return {**role, "aggregationRule": {"clusterRoleSelectors": [selector]}, "rules": []}


def _cluster_roles(features: FeatureGates) -> list[Object]:
    more = _TAINT_RULES if features.enabled("DRADeviceTaintRules") else {}

    def component(name: str, rules: tuple[str, ...]) -> Object:
        return _role(name, (*rules, *more.get(name, ())))

    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, _url_rule("*", "*")]
    discovery = (
        "/.well-known",
        "/.well-known/*",
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    )
    basic = (
        "authorization.k8s.io | selfsubjectaccessreviews selfsubjectrulesreviews | create",
        "authentication.k8s.io | selfsubjectreviews | create",
    )
    aggregate = "rbac.authorization.k8s.io/aggregate-to-"
    return [
        _role("cluster-admin", everything),
        _aggregated("admin", ""),
        _aggregated("edit", "admin"),
        _aggregated("view", "edit"),
        _role("system:aggregate-to-admin", _ADMIN, {f"{aggregate}admin": "true"}),
        _role("system:aggregate-to-edit", _EDIT, {f"{aggregate}edit": "true"}),
        _role("system:aggregate-to-view", _VIEW, {f"{aggregate}view": "true"}),
        _role("system:discovery", [_url_rule("get", *discovery)]),
        _role("system:basic-user", basic),
        _role(
            "system:public-info-viewer",
            [_url_rule("get", "/healthz", "/livez", "/readyz", "/version", "/version/")],
        ),
        _role(
            "system:monitoring",
            [
                _url_rule(
                    "get",
                    "/metrics",
                    "/metrics/slis",
                    "/livez",
                    "/readyz",
                    "/healthz",
                    "/livez/*",
                    "/readyz/*",
                    "/healthz/*",
                )
            ],
        ),
        component("system:kube-scheduler", _SCHEDULER),
        _role("system:kube-controller-manager", _CONTROLLER_MANAGER),
        _role("system:node", _NODE),
        _role(
            "system:kubelet-api-admin",
            (
                "core | nodes | get list watch proxy",
                "core | nodes/log nodes/metrics nodes/proxy nodes/stats | *",
            ),
        ),
        *(component(f"system:controller:{name}", rules) for name, rules in _controllers(features).items()),
    ]


def _binding(
    name: str, role: str, *subjects: Object, namespace: str = "", role_kind: str = "ClusterRole"
) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": _meta(name, namespace),
        "roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role},
        "subjects": list(subjects),
    }


def _user(name: str) -> Object:
    return {"apiGroup": GROUP, "kind": "User", "name": name}


def _group(name: str) -> Object:
    return {"apiGroup": GROUP, "kind": "Group", "name": name}


def _account(name: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}


def _cluster_bindings(features: FeatureGates) -> list[Object]:
    everyone = (_group("system:authenticated"), _group("system:unauthenticated"))
    return [
        _binding("cluster-admin", "cluster-admin", _group("system:masters")),
        _binding("system:discovery", "system:discovery", _group("system:authenticated")),
        _binding("system:basic-user", "system:basic-user", _group("system:authenticated")),
        _binding("system:public-info-viewer", "system:public-info-viewer", *everyone),
        _binding("system:monitoring", "system:monitoring", _group("system:monitoring")),
        _binding("system:kube-scheduler", "system:kube-scheduler", _user("system:kube-scheduler")),
        _binding(
            "system:kube-controller-manager",
            "system:kube-controller-manager",
            _user("system:kube-controller-manager"),
        ),
        _binding("system:node", "system:node"),
        *(
            _binding(f"system:controller:{name}", f"system:controller:{name}", _account(name))
            for name in _controllers(features)
        ),
    ]


def _roles() -> list[Object]:
    return [
        _role(
            "extension-apiserver-authentication-reader",
            [
                {
                    "apiGroups": [""],
                    "resourceNames": ["extension-apiserver-authentication"],
                    "resources": ["configmaps"],
                    "verbs": READ.split(),
                }
            ],
            namespace="kube-system",
        ),
    ]


def _role_bindings() -> list[Object]:
    reader = "extension-apiserver-authentication-reader"
    users = (_user("system:kube-controller-manager"), _user("system:kube-scheduler"))
    return [_binding(f"system::{reader}", reader, *users, namespace="kube-system", role_kind="Role")]
