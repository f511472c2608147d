"""Keys whose values come from the pod: what may stand in the selector beside them, before and after they are merged."""

import pytest

from dray.api.features import FeatureGates
from dray.api.fields import Path
from dray.api.validation.pod.label_keys import validate_term_keys, validate_unmerged_keys
from dray.api.validation.pod.rules import PodRules, pod_rules

AT = Path("t")
IN_A = {"key": "a", "operator": "In", "values": ["1"]}
TWICE = "exists in both matchLabelKeys and labelSelector"
DEFAULTS = FeatureGates()
UNMERGED = FeatureGates({"MatchLabelKeysInPodTopologySpreadSelectorMerge": False})
NEITHER = FeatureGates(
    {
        "MatchLabelKeysInPodTopologySpread": False,
        "MatchLabelKeysInPodTopologySpreadSelectorMerge": False,
    }
)


def _term(selector, *keys, **more):
    return {"labelSelector": selector, "matchLabelKeys": list(keys), **more}


def test_a_key_that_was_merged_is_in_the_selector_once() -> None:
    assert validate_term_keys(_term({"matchExpressions": [IN_A]}, "a"), AT) == []


@pytest.mark.parametrize(
    "selector", [{"matchExpressions": [IN_A, IN_A]}, {"matchLabels": {"a": "1"}, "matchExpressions": [IN_A]}]
)
def test_a_key_that_the_selector_had_before_is_refused(selector) -> None:
    [found] = validate_term_keys(_term(selector, "b", "a"), AT)

    assert str(found) == f't[1]: Invalid value: "a": {TWICE}'


def test_a_selector_that_is_not_merged_with_must_not_have_the_key() -> None:
    for selector in ({"matchExpressions": [IN_A]}, {"matchLabels": {"a": "1"}}):
        [found] = validate_unmerged_keys(_term(selector, "a"), AT)

        assert str(found) == f't[0]: Invalid value: "a": {TWICE}'


def test_keys_need_a_selector() -> None:
    text = "Forbidden: must not be specified when labelSelector is not set"
    found = [
        *validate_term_keys(_term(None, "a", mismatchLabelKeys=["b"]), AT),
        *validate_unmerged_keys(_term(None, "a"), AT),
    ]

    assert list(map(str, found)) == [
        f"t.matchLabelKeys: {text}",
        f"t.mismatchLabelKeys: {text}",
        f"t: {text}",
    ]


def test_no_key_is_wanted_and_unwanted() -> None:
    [found] = validate_term_keys(_term({}, "b", "a", mismatchLabelKeys=["a"]), AT)

    assert (
        str(found)
        == 't.matchLabelKeys[1]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys'
    )


MERGED = {"topologySpreadConstraints": [_term({"matchExpressions": [IN_A]}, "a")]}
BROKEN = {"topologySpreadConstraints": [_term({"matchLabels": {"a": "1"}, "matchExpressions": [IN_A]}, "a")]}
PLAIN = {"topologySpreadConstraints": [_term({"matchLabels": {"x": "1"}}, "a")]}


@pytest.mark.parametrize(
    ("gates", "before", "merges"),
    [
        (DEFAULTS, None, True),
        (DEFAULTS, MERGED, True),
        (DEFAULTS, BROKEN, False),
        (UNMERGED, None, False),
        (UNMERGED, PLAIN, False),
        (UNMERGED, MERGED, True),
        (NEITHER, None, False),
        (NEITHER, MERGED, False),
    ],
)
def test_a_stored_spec_that_breaks_one_rule_is_held_to_the_other(gates, before, merges) -> None:
    assert pod_rules(gates, before) == PodRules(merges_spread_keys=merges)
