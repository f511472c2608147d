"""A new pod's matchLabelKeys and mismatchLabelKeys are written into the selectors beside them."""

import pytest

from dray.api.features import FeatureGates
from dray.apiserver.registry.pod_label_keys import merge_label_keys

DEFAULTS = FeatureGates()
UNMERGED = FeatureGates({"MatchLabelKeysInPodTopologySpreadSelectorMerge": False})
IN_A = {"key": "a", "operator": "In", "values": ["1"]}
NOT_IN_B = {"key": "b", "operator": "NotIn", "values": ["2"]}


def _pod(**spec):
    return {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": spec}


def _term(pod, kind="podAffinity"):
    return pod["spec"]["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"][0]


def _required(kind="podAffinity", **term):
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
def test_requirements_come_after_those_of_the_selector(kind) -> None:
    other = {"key": "x", "operator": "Exists"}
    selector = {"matchLabels": {"c": "3"}, "matchExpressions": [other]}
    pod = _pod(
        affinity=_required(kind, labelSelector=selector, matchLabelKeys=["a"], mismatchLabelKeys=["b"])
    )

    merge_label_keys(DEFAULTS, pod)

    assert _term(pod, kind)["labelSelector"] == {
        "matchLabels": {"c": "3"},
        "matchExpressions": [other, IN_A, NOT_IN_B],
    }
    assert _term(pod, kind)["matchLabelKeys"] == ["a"]


def test_preferred_terms_are_treated_alike() -> None:
    choice = {"weight": 1, "podAffinityTerm": {"labelSelector": {}, "mismatchLabelKeys": ["b"]}}
    pod = _pod(affinity={"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [choice]}})

    merge_label_keys(DEFAULTS, pod)

    assert choice["podAffinityTerm"]["labelSelector"] == {"matchExpressions": [NOT_IN_B]}


def test_a_label_that_the_pod_does_not_have_asks_for_nothing() -> None:
    pod = _pod(affinity=_required(labelSelector={}, matchLabelKeys=["absent"]))

    merge_label_keys(DEFAULTS, pod)

    assert _term(pod)["labelSelector"] == {}


def test_without_a_selector_there_still_is_none() -> None:
    pod = _pod(affinity=_required(matchLabelKeys=["a"]))

    merge_label_keys(DEFAULTS, pod)

    assert "labelSelector" not in _term(pod)


@pytest.mark.parametrize(("gates", "expressions"), [(DEFAULTS, [IN_A]), (UNMERGED, None)])
def test_those_of_spread_constraints_follow_their_gate(gates, expressions) -> None:
    constraint = {"labelSelector": {}, "matchLabelKeys": ["a"]}

    merge_label_keys(gates, _pod(topologySpreadConstraints=[constraint]))

    assert constraint["labelSelector"].get("matchExpressions") == expressions
