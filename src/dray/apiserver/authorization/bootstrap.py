"""The roles and bindings every cluster starts with: Kubernetes' bootstrap policy, for what dray serves.

A rule is written as `component_rules` and `controller_rules` write it. Built at first use.
"""

from collections.abc import Iterable

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.apiserver.authorization.component_rules import (
    CONTROLLER_MANAGER,
    EVENTS,
    GROUP_CLAIMS,
    NODE,
    OTHERS,
    POD_GROUPS,
    READ,
    SCHEDULER,
    TAINT_RULES,
)
from dray.apiserver.authorization.controller_rules import controllers

WRITE = "create delete deletecollection patch update"
ALL = f"{WRITE} {READ}"

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


_OF_FEATURES = (
    ("DRADeviceTaintRules", TAINT_RULES),
    ("GenericWorkload", POD_GROUPS),
    ("DRAWorkloadResourceClaims", GROUP_CLAIMS),
)


def bootstrap_policy(features: FeatureGates | None = None) -> list[Object]:
    """Every ClusterRole, Role and binding a new cluster holds, roles first; some features bring rules with them."""
    features = features or FeatureGates()
    return [*_cluster_roles(features), *_cluster_bindings(features), *_roles(), *_role_bindings()]


def node_rules() -> list[Object]:
    """What the node authorizer grants every kubelet; also the content of the role `system:node`."""
    return [parse_rule(rule) for rule in NODE]


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
    more = [rules for gate, rules in _OF_FEATURES if features.enabled(gate)]

    def component(name: str, rules: tuple[str, ...], labels: dict[str, str] | None = None) -> Object:
        return _role(name, (*rules, *(rule for each in more for rule in each.get(name, ()))), labels)

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
        component("system:aggregate-to-edit", _EDIT, {f"{aggregate}edit": "true"}),
        component("system:aggregate-to-view", _VIEW, {f"{aggregate}view": "true"}),
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
        component("system:kube-scheduler", SCHEDULER),
        _role("system:kube-controller-manager", CONTROLLER_MANAGER),
        _role("system:node", NODE),
        _role(
            "system:kubelet-api-admin",
            (
                "core | nodes | get list watch proxy",
                "core | nodes/log nodes/metrics nodes/proxy nodes/stats | *",
                "core | nodes/configz nodes/healthz nodes/pods | *",
            ),
        ),
        _role(
            "system:service-account-issuer-discovery",
            [
                _url_rule(
                    "get",
                    "/.well-known/openid-configuration",
                    "/.well-known/openid-configuration/",
                    "/openid/v1/jwks",
                    "/openid/v1/jwks/",
                )
            ],
        ),
        *(_role(name, rules) for name, rules in OTHERS.items()),
        *(component(f"system:controller:{name}", rules) for name, rules in controllers(features).items()),
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
        _binding("system:volume-scheduler", "system:volume-scheduler", _user("system:kube-scheduler")),
        _binding("system:node-proxier", "system:node-proxier", _user("system:kube-proxy")),
        _binding("system:kube-dns", "system:kube-dns", _account("kube-dns")),
        _binding(
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            _group("system:serviceaccounts"),
        ),
        *(
            _binding(f"system:controller:{name}", f"system:controller:{name}", _account(name))
            for name in controllers(features)
        ),
    ]


_NAMESPACED: dict[tuple[str, str], tuple[str, ...]] = {
    ("kube-system", "extension-apiserver-authentication-reader"): (
        f"core | configmaps | {READ} | extension-apiserver-authentication",
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "core | configmaps | watch",
        "core | configmaps | get update | kube-controller-manager",
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "core | configmaps | watch",
        "core | configmaps | get update | kube-scheduler",
    ),
    ("kube-system", "system:controller:bootstrap-signer"): (f"core | secrets | {READ}",),
    ("kube-system", "system:controller:cloud-provider"): ("core | configmaps | create get list watch",),
    ("kube-system", "system:controller:token-cleaner"): ("core | secrets | delete get list watch", EVENTS),
    ("kube-public", "system:controller:bootstrap-signer"): (
        f"core | configmaps | {READ}",
        "core | configmaps | update | cluster-info",
        EVENTS,
    ),
}


def _roles() -> list[Object]:
    return [_role(name, rules, namespace=namespace) for (namespace, name), rules in _NAMESPACED.items()]


def _role_bindings() -> list[Object]:
    managers = _user("system:kube-controller-manager"), _account("kube-controller-manager")
    schedulers = _user("system:kube-scheduler"), _account("kube-scheduler")
    reader = "extension-apiserver-authentication-reader"
    bound = (
        ("kube-system", f"system::{reader}", reader, (managers[0], schedulers[0])),
        *(
            ("kube-system", f"system::leader-locking-{name}", f"system::leader-locking-{name}", subjects)
            for name, subjects in (("kube-controller-manager", managers), ("kube-scheduler", schedulers))
        ),
        *(
            (namespace, f"system:controller:{name}", f"system:controller:{name}", (_account(name),))
            for namespace, name in (
                ("kube-system", "bootstrap-signer"),
                ("kube-system", "cloud-provider"),
                ("kube-system", "token-cleaner"),
                ("kube-public", "bootstrap-signer"),
            )
        ),
    )
    return [
        _binding(name, role, *subjects, namespace=namespace, role_kind="Role")
        for namespace, name, role, subjects in bound
    ]
