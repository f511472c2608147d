"""The roles that a cluster starts with are enough for Kubernetes' own components."""

import pytest

from dray.api.features import FeatureGates, parse_feature_gates
from dray.apiserver.authorization.bootstrap import bootstrap_policy

CONTROLLERS = (
    "attachdetach-controller", "certificate-controller", "clusterrole-aggregation-controller", "cronjob-controller",
    "daemon-set-controller", "deployment-controller", "device-taint-eviction-controller", "disruption-controller",
    "endpoint-controller", "endpointslice-controller", "endpointslicemirroring-controller",
    "ephemeral-volume-controller", "expand-controller", "generic-garbage-collector", "horizontal-pod-autoscaler",
    "job-controller", "legacy-service-account-token-cleaner", "namespace-controller", "node-controller",
    "persistent-volume-binder", "pod-garbage-collector", "pv-protection-controller", "pvc-protection-controller",
    "replicaset-controller", "replication-controller", "resource-claim-controller", "resourcequota-controller",
    "root-ca-cert-publisher", "service-account-controller", "service-cidrs-controller", "statefulset-controller",
    "ttl-after-finished-controller", "ttl-controller", "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
)  # fmt: skip
"""The service accounts that the controller manager of 1.36.2 made for itself in a recorded cluster."""


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_every_controller_has_rules_under_its_own_account(controller: str) -> None:
    name = f"system:controller:{controller}"
    policy = {(obj["kind"], obj["metadata"]["name"]): obj for obj in bootstrap_policy()}
    assert policy["ClusterRole", name]["rules"]
    [subject] = policy["ClusterRoleBinding", name]["subjects"]
    assert (subject["namespace"], subject["name"]) == ("kube-system", controller)


def test_every_bound_role_exists() -> None:
    policy = bootstrap_policy(FeatureGates())
    roles = {
        (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        for obj in policy
        if "rules" in obj
    }
    for binding in (obj for obj in policy if "roleRef" in obj):
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        namespace = binding["metadata"]["namespace"] if kind == "Role" else ""
        assert (kind, namespace, name) in roles


@pytest.mark.parametrize(
    ("gates", "release", "readable"),
    [
        ("DRAResourcePoolStatus=true", "1.36", ["resourceclaims", "resourceslices"]),
        ("DRAResourcePoolStatus=true", "1.37", ["devicetaintrules", "resourceclaims", "resourceslices"]),
        ("", "1.37", []),
    ],
)
def test_answers_about_pools_may_look_at_taint_rules_since_137(
    gates: str, release: str, readable: list[str]
) -> None:
    name = "system:controller:resourcepoolstatusrequest-controller"
    roles = [
        role
        for role in bootstrap_policy(parse_feature_gates(gates, release))
        if role["kind"] == "ClusterRole" and role["metadata"]["name"] == name
    ]
    rules = [rule for role in roles for rule in role["rules"] if "delete" not in rule["verbs"]]
    assert sorted(each for rule in rules for each in rule["resources"] if "/" not in each) == readable
