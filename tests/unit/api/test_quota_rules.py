"""What kube-apiserver 1.36 answered about these quotas."""

from typing import Any

import pytest

from dray.api.validation.core.quota import quota_warnings, validate_quota, validate_quota_update

EXISTS = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
SELECTORS = "spec.scopeSelector.matchExpressions"


def select(*expressions: tuple[str, str, list[str]]) -> dict[str, Any]:
    shown = [
        {"scopeName": scope, "operator": operator, "values": values}
        for scope, operator, values in expressions
    ]
    return {"matchExpressions": [{k: v for k, v in each.items() if v} for each in shown]}


@pytest.mark.parametrize(
    ("spec", "findings"),
    [
        ({"hard": {"pods": "1"}, "scopes": ["Foo"]}, ['spec.scopes: Invalid value: ["Foo"]: unsupported scope']),
        (
            {"hard": {"pods": "1", "cpu": "1"}, "scopes": ["BestEffort"]},
            ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
        ),
        (
            {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]},
            ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
        ),
        (
            {"hard": {"configmaps": "1", "count/x": "1"}, "scopes": ["Terminating"]},
            ['spec.scopes: Invalid value: ["Terminating"]: unsupported scope applied to resource'],
        ),
        (
            {"hard": {"pods": "1"}, "scopeSelector": select(("PriorityClass", "In", []))},
            [f"{SELECTORS}.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"],
        ),
        (
            {"hard": {"pods": "1"}, "scopeSelector": select(("PriorityClass", "Exists", ["a"]), ("Terminating", "In", ["x"]))},
            [
                f"{SELECTORS}.values: Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
                f'{SELECTORS}.operator: Invalid value: "In": {EXISTS}',
            ],
        ),
        (
            {"hard": {"pods": "1"}, "scopeSelector": select(("Foo", "Bar", []))},
            [
                f'{SELECTORS}.scopeName: Invalid value: "Foo": unsupported scope',
                f'{SELECTORS}.operator: Invalid value: "Bar": not a valid selector operator',
            ],
        ),
        (
            {"hard": {"pods": "1"}, "scopeSelector": select(("Terminating", "Exists", []), ("NotTerminating", "Exists", []))},
            [f"{SELECTORS}: Invalid value: null: conflicting scopes"],
        ),
        (
            {"hard": {"pods": "1"}, "scopeSelector": select(("VolumeAttributesClass", "Exists", []))},
            [f'{SELECTORS}: Invalid value: {{"MatchExpressions":[{{"ScopeName":"VolumeAttributesClass","Operator":"Exists","Values":null}}]}}: unsupported scope applied to resource'],
        ),
        (
            {"hard": {"persistentvolumeclaims": "1", "gold.storageclass.storage.k8s.io/requests.storage": "1.5"}, "scopes": ["VolumeAttributesClass"]},
            ['spec.hard[gold.storageclass.storage.k8s.io/requests.storage]: Invalid value: "1500m": must be an integer'],
        ),
        (
            {"hard": {"pods": "1.5", "cpu": "1.5", "requests.example.com/x": "1.5", "foo": "1", "storage": "1"}},
            [
                'spec.hard[pods]: Invalid value: "1500m": must be an integer',
                'spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
                'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota',
                'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota',
            ],
        ),
        ({"hard": {"count/resourceclaims.resource.k8s.io": "2"}, "scopes": ["PriorityClass"]}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_scopes_go_with_what_is_counted(spec, findings) -> None:
    assert [str(each) for each in validate_quota({"spec": spec})] == findings


def test_plain_scopes_stay_as_they_are() -> None:
    old, new = (
        {"spec": {"hard": {"pods": "1"}, "scopes": [scope]}} for scope in ("Terminating", "NotTerminating")
    )
    assert list(map(str, validate_quota_update(new, old))) == [
        'spec.scopes: Invalid value: ["NotTerminating"]: field is immutable'
    ]
    assert not validate_quota_update(old, old)


def test_requests_beyond_the_limits_are_warned_of() -> None:
    hard = {
        "requests.cpu": "3",
        "limits.cpu": "2",
        "memory": "3Gi",
        "limits.memory": "2Gi",
        "requests.storage": "1",
    }
    assert quota_warnings({"spec": {"hard": hard}}) == [
        "ResourceQuota requests.cpu (3) should be less than limits.cpu (2)",
        "ResourceQuota memory (3Gi) should be less than limits.memory (2Gi)",
    ]
