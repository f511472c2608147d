"""Feature gates: the names, defaults, locks and dependencies of Kubernetes 1.36, and its words for what it refuses."""

import pytest

from dray.api.features import EFFECTIVE, FeatureGateError, FeatureGates, known_gates, parse_feature_gates


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Nope=true", "unrecognized feature gate: Nope"),
        ("DRAAdminAccess", "missing bool value for DRAAdminAccess"),
        (
            "DRADeviceTaints=maybe",
            'invalid value of DRADeviceTaints=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            "DynamicResourceAllocation=false",
            "cannot set feature gate DynamicResourceAllocation to false, feature is locked to true",
        ),
        (
            "DRAAdminAccess=false",
            "cannot set feature gate DRAAdminAccess to false, feature is locked to true",
        ),
        (
            "DRADeviceTaintRules=true,DRADeviceTaints=false",
            "DRADeviceTaintRules is enabled, but depends on features that are disabled: [DRADeviceTaints]",
        ),
        (
            "DRAWorkloadResourceClaims=true",
            "DRAWorkloadResourceClaims is enabled, but depends on features that are disabled: [GenericWorkload]",
        ),
        (
            "ResourceHealthStatus=false",
            "ResourceHealthStatusMessage is enabled, but depends on features that are disabled: [ResourceHealthStatus]",
        ),
    ],
)
def test_settings_that_kubernetes_does_not_start_with_are_refused_in_its_words(
    text: str, message: str
) -> None:
    with pytest.raises(FeatureGateError) as refused:
        parse_feature_gates(text)
    assert str(refused.value) == message


def test_defaults_are_those_of_the_release() -> None:
    gates = FeatureGates()
    assert gates.enabled("DRAPartitionableDevices")
    assert not gates.enabled("DRADeviceTaintRules")
    assert not gates.enabled("DRAListTypeAttributes")


def test_named_gates_change_and_others_keep_their_default() -> None:
    gates = parse_feature_gates(" DRAListTypeAttributes=true, DRAPrioritizedList=F ,")
    assert gates.enabled("DRAListTypeAttributes")
    assert not gates.enabled("DRAPrioritizedList")
    assert gates.enabled("DRADeviceTaints")


def test_all_of_a_stage_are_set_but_for_those_that_are_named() -> None:
    gates = parse_feature_gates("AllAlpha=true,DRAResourcePoolStatus=false")
    assert gates.enabled("DRAListTypeAttributes")
    assert not gates.enabled("DRAResourcePoolStatus")
    assert not gates.enabled("DRADeviceTaintRules"), "a beta"


def test_locked_gate_may_be_set_to_what_it_is() -> None:
    assert parse_feature_gates("DynamicResourceAllocation=true").enabled("DynamicResourceAllocation")


def test_gates_of_kubernetes_that_dray_does_not_heed_are_known() -> None:
    assert parse_feature_gates("GangScheduling=true,GenericWorkload=true").enabled("GangScheduling")


def test_every_gate_that_is_heeded_exists_in_the_release() -> None:
    assert EFFECTIVE - known_gates().keys() == set()
