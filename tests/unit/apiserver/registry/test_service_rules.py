"""Services: what their fields say together, and what they are warned of, in the words of kube-apiserver 1.36.2."""

import copy
from typing import Any

import pytest

from dray.api.validation.core.service import validate_service, validate_service_update
from dray.api.validation.core.service_warnings import service_warnings
from dray.apiserver.registry.service import SERVICE

Object = dict[str, Any]

HEADLESS: Object = {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}
BALANCED: Object = {"type": "LoadBalancer", "clusterIP": "10.96.1.1", "ports": [{"port": 80}]}
BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"
RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
HINTS, MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
NO_BLOCK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def a_service(base: Object = HEADLESS, annotations: Object | None = None, **spec: object) -> Object:
    obj: Object = {"metadata": {"name": "s"}, "spec": {**copy.deepcopy(base), **spec}}
    if annotations:
        obj["metadata"]["annotations"] = annotations
    SERVICE.default(obj, "v1")
    return obj


def told(base: Object = HEADLESS, annotations: Object | None = None, **spec: object) -> list[str]:
    return [str(error) for error in validate_service(a_service(base, annotations, **spec))]


def warned(base: Object = HEADLESS, annotations: Object | None = None, **spec: object) -> list[str]:
    return list(service_warnings(a_service(base, annotations, **spec)))


def test_affinity_to_clients_lasts_three_hours_unless_it_is_said_otherwise() -> None:
    hours = {"clientIP": {"timeoutSeconds": 10800}}
    for config in (None, {}, {"clientIP": {}}):
        obj = a_service(sessionAffinity="ClientIP", sessionAffinityConfig=config)
        assert obj["spec"]["sessionAffinityConfig"] == hours
    assert "sessionAffinityConfig" not in a_service(sessionAffinityConfig=hours)["spec"]
    for seconds in (0, 86401):
        config = {"clientIP": {"timeoutSeconds": seconds}}
        assert told(sessionAffinity="ClientIP", sessionAffinityConfig=config) == [
            f"spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: {seconds}: must be greater than 0 and "
            "less than 86400"
        ]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("1.2.3.4", ""),
        ("y", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("0.0.0.0", "may not be unspecified (0.0.0.0)"),
        ("fe80::1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("224.0.0.1", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ],
)
def test_addresses_outside_are_such_as_others_can_reach(address: str, why: str) -> None:
    found = [f'spec.externalIPs[0]: Invalid value: "{address}": {why}'] if why else []
    assert told(externalIPs=[address]) == found


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("10.0.0.0/8", ""),
        (" 2001:db8::/64 ", ""),
        ("x", NO_BLOCK),
        ("10.0.0.0", NO_BLOCK),
        ("10.0.0.0/33", NO_BLOCK),
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
    ],
)
def test_who_may_come_is_said_in_blocks_of_addresses(block: str, why: str) -> None:
    found = [f'spec.LoadBalancerSourceRanges[0]: Invalid value: "{block}": {why}'] if why else []
    assert told(BALANCED, loadBalancerSourceRanges=[block]) == found
    found = [f'metadata.annotations[{RANGES}]: Invalid value: "{block}": {why}'] if why else []
    assert told(BALANCED, {RANGES: block}) == found


def test_what_belongs_to_a_balancer_needs_one() -> None:
    assert told(
        loadBalancerSourceRanges=["10.0.0.0/8"], allocateLoadBalancerNodePorts=False, loadBalancerClass="a"
    ) == [
        f"spec.{field}: Forbidden: {BALANCER_ONLY}"
        for field in ("LoadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass")
    ]
    (first, *_) = told(BALANCED, loadBalancerClass="a b")
    assert first.startswith('spec.loadBalancerClass: Invalid value: "a b": name part must consist of')


def test_blocks_and_addresses_that_are_stored_may_stay() -> None:
    old = a_service(BALANCED, {RANGES: "x"}, loadBalancerSourceRanges=["10.0.0.1/8"])
    assert validate_service_update(old, old) == []
    annotated = a_service(BALANCED, {RANGES: "x"})
    assert validate_service_update(annotated, annotated) == []
    zeros = a_service(externalIPs=["010.0.0.1"])
    assert len(validate_service(zeros)) == 1
    assert validate_service_update(zeros, zeros) == []


def test_ways_of_traffic_are_known_ones() -> None:
    assert told(trafficDistribution="PreferSameNode") == []
    assert told(trafficDistribution="a", internalTrafficPolicy="") == [
        'spec.internalTrafficPolicy: Unsupported value: "": supported values: "Cluster", "Local"',
        'spec.trafficDistribution: Unsupported value: "a": supported values: "PreferClose", "PreferSameZone", '
        '"PreferSameNode"',
    ]


def test_ports_have_qualified_protocols_and_are_told_apart_last() -> None:
    port = {"name": "a", "port": 80, "targetPort": 1, "nodePort": 30000}
    assert told(BALANCED, ports=[port, {**port, "name": "b"}]) == [
        "spec.ports[1].nodePort: Duplicate value: 30000",
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ]
    (first, *_) = told(ports=[{"port": 80, "appProtocol": "a b"}])
    assert first.startswith('spec.ports[0].appProtocol: Invalid value: "a b": name part must consist of')


def test_two_annotations_for_one_thing_agree() -> None:
    assert told(annotations={HINTS: "a", MODE: "a"}) == []
    assert told(annotations={HINTS: "a", MODE: "x"}) == [
        f'metadata.annotations[{MODE}]: Invalid value: "x": must match annotations[{HINTS}] when both are specified'
    ]
    assert warned(annotations={HINTS: "a"}) == [
        f"annotation {HINTS} is deprecated, please use {MODE} instead"
    ]


def test_fields_that_do_nothing_are_told_of() -> None:
    assert warned(
        loadBalancerIP="010.0.0.1",
        externalIPs=["2001:DB8::1"],
        sessionAffinity="ClientIP",
        externalName="a.b",
    ) == [
        "spec.loadBalancerIP is ignored for headless services",
        "spec.externalIPs is ignored for headless services",
        "spec.SessionAffinity is ignored for headless services",
        'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
        'spec.loadBalancerIP: non-standard IP address "010.0.0.1" is invalid: use "10.0.0.1"',
        'spec.externalName is ignored when spec.type is not "ExternalName"',
    ]
    assert warned(BALANCED, externalIPs=["1.2.3.4"]) == [
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    ]
    named = {"type": "ExternalName", "externalName": "a.b"}
    assert warned(named, externalIPs=["1.2.3.4"]) == [
        'spec.externalIPs is ignored when spec.type is "ExternalName"'
    ]
    assert warned() == []
