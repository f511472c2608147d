"""Kinds with few rules of their own: names, metadata, and what is left out. Words of kube-apiserver 1.36.2."""

import copy
import uuid
from typing import Any

import pytest

from dray.api.features import parse_feature_gates
from dray.api.fields import Path
from dray.api.quantity import parse_quantity
from dray.api.validation.core.quota import validate_quota_amounts
from dray.apiserver.registry.admission_policy import (
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from dray.apiserver.registry.csi import CSI_STORAGE_CAPACITY
from dray.apiserver.registry.disruption_budget import POD_DISRUPTION_BUDGET
from dray.apiserver.registry.kind import Kind
from dray.apiserver.registry.lease import LEASE
from dray.apiserver.registry.quota import LIMIT_RANGE
from dray.apiserver.registry.stateful_set import CONTROLLER_REVISION
from dray.apiserver.registry.webhook_configuration import (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
)
from dray.apiserver.verbs import metadata
from tests.unit.apiserver.registry.recorded import Context
from tests.unit.apiserver.serving import call, new_core

Object = dict[str, Any]

POLICIES = (
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
)


async def told_of_metadata(kind: Kind, **meta: object) -> tuple[list[str], list[str]]:
    """Of a new object, and of a change that brings this metadata."""
    core = await new_core(kind)
    calling = call(core, "update", kind.resource, "x")
    place = {"namespace": "ns"} if kind.resource.namespaced else {}
    given = {"name": "x", **place, "resourceVersion": "1", **meta}
    old = {"name": "x", **place, "resourceVersion": "1"}
    created = metadata.create_errors(calling, given)
    changed = metadata.update_errors(calling, given, old, kind.metadata_checks)
    return [str(error) for error in created], [str(error) for error in changed]


@pytest.mark.parametrize("kind", [*POLICIES, LEASE, POD_DISRUPTION_BUDGET])
async def test_a_finalizer_of_these_needs_no_domain(kind: Kind) -> None:
    assert await told_of_metadata(kind, finalizers=["a"]) == ([], [])


@pytest.mark.parametrize("kind", [CSI_STORAGE_CAPACITY, CONTROLLER_REVISION])
async def test_a_finalizer_of_those_needs_one_and_is_told_of_twice_in_changes(kind: Kind) -> None:
    text = 'metadata.finalizers[0]: Invalid value: "a": name is neither a standard finalizer name nor is it fully qualified'
    assert await told_of_metadata(kind, finalizers=["a"]) == ([text], [text, text])


@pytest.mark.parametrize("name", ["a..b", "A_b", "-", "a b", "x" * 254])
async def test_a_disruption_budget_may_have_any_name_that_can_stand_in_a_url(name: str) -> None:
    created, _ = await told_of_metadata(POD_DISRUPTION_BUDGET, name=name)
    assert created == []
    created, _ = await told_of_metadata(POD_DISRUPTION_BUDGET, name="a%b")
    assert created == ["metadata.name: Invalid value: \"a%b\": may not contain '%'"]


def of_budget(**spec: object) -> list[str]:
    obj = {"metadata": {"name": "b"}, "spec": spec}
    return [str(error) for error in POD_DISRUPTION_BUDGET.validate_create(Context(), obj)]


def test_a_disruption_budget_has_one_bound_and_a_known_policy() -> None:
    assert of_budget(minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow") == []
    assert of_budget(minAvailable=1, maxUnavailable="x%")[0] == (
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"x%","UnhealthyPodEvictionPolicy":null}: '
        "minAvailable and maxUnavailable cannot be both set"
    )
    assert of_budget(unhealthyPodEvictionPolicy="") == [
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "": supported values: "AlwaysAllow", "IfHealthyBudget"'
    ]


def test_who_should_lead_belongs_to_a_feature() -> None:
    spec = {"holderIdentity": "h", "preferredHolder": "p", "strategy": "OldestEmulationVersion"}
    lease: Object = {"metadata": {"name": "l"}, "spec": spec}
    new = copy.deepcopy(lease)
    LEASE.prepare_create(Context(), new)
    assert new["spec"] == {"holderIdentity": "h"}
    new = copy.deepcopy(lease)
    LEASE.prepare_update(Context(old=lease), new)
    assert new == lease
    LEASE.prepare_create(Context(features=parse_feature_gates("CoordinatedLeaderElection=true")), new)
    assert new == lease


def test_a_limit_range_without_a_name_gets_one() -> None:
    obj: Object = {"metadata": {}, "spec": {"limits": []}}
    LIMIT_RANGE.prepare_create(Context(), obj)
    assert uuid.UUID(obj["metadata"]["name"]).version == 4
    named: Object = {"metadata": {"name": "n"}, "spec": {"limits": []}}
    LIMIT_RANGE.prepare_create(Context(), named)
    assert named["metadata"]["name"] == "n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "data is mandatory"),
        ("x", "data must be a valid JSON object"),
        ([], "data must be a valid JSON object"),
        ({}, ""),
    ],
)
def test_a_revision_holds_an_object(data: object, why: str) -> None:
    obj = {"metadata": {"name": "r"}, "revision": 1, "data": data}
    found = [str(error) for error in CONTROLLER_REVISION.validate_create(Context(), obj)]
    assert found == ([f"data: Required value: {why}"] if why else [])


def test_a_changed_revision_is_told_of_its_number_and_that_its_data_stay() -> None:
    old = {"metadata": {"name": "r"}, "revision": 1, "data": {"a": 1}}
    new = {**old, "revision": -1, "data": "x"}
    found = [str(error) for error in CONTROLLER_REVISION.validate_update(Context(old=old), new)]
    assert found == [
        "revision: Invalid value: -1: must be greater than or equal to 0",
        'data: Invalid value: "x": field is immutable',
    ]


@pytest.mark.parametrize(
    ("amount", "is_whole"),
    [
        ("1.0", True),
        ("1e19", True),
        ("9223372036854775807", True),
        ("9300000000000001", False),
        ("0.5", False),
    ],
)
def test_an_amount_is_whole_where_its_thousandths_are_as_far_as_kubernetes_counts(
    amount: str, is_whole: bool
) -> None:
    assert parse_quantity(amount).has_whole_thousands() is is_whole
    assert (validate_quota_amounts({"pods": amount}, Path("spec.hard")) == []) is is_whole
