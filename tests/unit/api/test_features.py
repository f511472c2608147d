"""Feature gates: the names, defaults, locks and dependencies of Kubernetes 1.36, and its words for what it refuses."""

import pytest

from dray.api.features import FeatureGateError, FeatureGates, parse_feature_gates, parse_release
from dray.api.releases import LATER, RELEASES, heeded_gates, known_gates


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
        (
            "DynamicResourceAllocation=false,DRAAdminAccess=false",
            "[cannot set feature gate DRAAdminAccess to false, feature is locked to true, "
            "cannot set feature gate DynamicResourceAllocation to false, feature is locked to true]",
        ),
        (
            "DRAResourceClaimDeviceStatus=false",
            "[DRADeviceBindingConditions is enabled, but depends on features that are disabled: "
            "[DRAResourceClaimDeviceStatus], DRAResourceClaimGranularStatusAuthorization is enabled, but depends on "
            "features that are disabled: [DRAResourceClaimDeviceStatus]]",
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


@pytest.mark.parametrize("release", RELEASES)
def test_every_gate_that_is_heeded_exists_in_its_release(release: str) -> None:
    assert heeded_gates(release).keys() <= known_gates(release).keys()
    assert release == RELEASES[-1] or not LATER.keys() & known_gates(release).keys()


def test_component_may_stand_before_every_gate_or_before_none() -> None:
    gates = parse_feature_gates("kube:DRAListTypeAttributes=true,kube:DRAPrioritizedList=false")
    assert gates.enabled("DRAListTypeAttributes")
    assert not gates.enabled("DRAPrioritizedList")
    with pytest.raises(FeatureGateError, match=r"^component not registered: foo$"):
        parse_feature_gates("foo:DRAAdminAccess=true")
    mixed = "set kube feature gates with default empty prefix or kube: prefix consistently, do not mix use"
    with pytest.raises(FeatureGateError, match=f"^{mixed}$"):
        parse_feature_gates("kube:DRAPrioritizedList=true,DRAPrioritizedList=false")


def test_each_release_has_its_own_defaults_locks_and_stages() -> None:
    older, newer = parse_feature_gates(""), parse_feature_gates("", "1.37")
    assert not older.enabled("DRADeviceTaintRules")
    assert newer.enabled("DRADeviceTaintRules")
    assert not newer.enabled("GenericWorkload")
    assert not parse_feature_gates("AllAlpha=true").enabled("DRAOptionalNodeOperations")
    everything = parse_feature_gates("AllAlpha=true,AllBeta=true", "1.37")
    assert everything.enabled("DRAOptionalNodeOperations")
    assert parse_feature_gates("DRAPrioritizedList=false").overrides
    with pytest.raises(FeatureGateError, match="feature is locked to true"):
        parse_feature_gates("DRAPrioritizedList=false", "1.37")


def test_older_release_has_the_gates_of_its_time() -> None:
    older, old = parse_feature_gates("", "1.34"), parse_feature_gates("", "1.35")
    assert older.enabled("DynamicResourceAllocation")
    assert older.enabled("DRAPrioritizedList")
    assert not older.enabled("DRAConsumableCapacity"), "an alpha then"
    assert not old.enabled("DRADeviceTaints"), "an alpha then"
    assert not older.enabled("DRAListTypeAttributes"), "not there yet"
    assert not older.enabled("DRADerivedAttributes"), "not there yet"
    with pytest.raises(KeyError):
        older.enabled("Nope")
    assert parse_feature_gates("AllAlpha=true", "1.34").enabled("DRAConsumableCapacity")
    assert parse_feature_gates("DRAAdminAccess=false", "1.35").overrides == {"DRAAdminAccess": False}
    with pytest.raises(
        FeatureGateError, match="DynamicResourceAllocation to false, feature is locked to true"
    ):
        parse_feature_gates("DynamicResourceAllocation=false", "1.35")


@pytest.mark.parametrize(("release", "before"), [("1.34", "1.33"), ("1.35", "1.34")])
def test_gate_of_a_later_release_cannot_be_set_in_an_older_one(release: str, before: str) -> None:
    with pytest.raises(FeatureGateError) as refused:
        parse_feature_gates("DRAListTypeAttributes=false", release)
    assert str(refused.value) == (
        f"cannot set feature gate DRAListTypeAttributes to false, feature is PreAlpha at emulated version {release}, "
        f"min compatibility version {before}"
    )


def test_release_that_is_stood_for_brings_its_fields_with_gates_on_or_off() -> None:
    assert FeatureGates().later() == frozenset()
    assert FeatureGates(release="1.37").later() == {"1.37", *LATER}


@pytest.mark.parametrize(
    ("text", "release"), [("", "1.36"), ("1.36", "1.36"), ("kube=1.37", "1.37"), ("v1.37", "1.37")]
)
def test_release_is_named_as_kubernetes_components_take_it(text: str, release: str) -> None:
    assert parse_release(text) == release


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo=1.36", "component not registered: foo"),
        ("1.36.2", "patch version not allowed, got: kube=1.36.2"),
        ("abc", 'could not parse "abc" as version'),
        ("1.38", "emulation version 1.38 is not between [1.34, 1.37]"),
    ],
)
def test_release_that_cannot_be_stood_for_is_refused(text: str, message: str) -> None:
    with pytest.raises(FeatureGateError) as refused:
        parse_release(text)
    assert str(refused.value) == message
