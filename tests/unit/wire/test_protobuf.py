"""The protobuf body decoder against real kubectl requests, hand-built messages and hostile bytes."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dray.wire import protobuf
from dray.wire.jsonform import format_duration
from dray.wire.protobuf import ProtobufError, decode_object

CORPUS = Path(__file__).parents[2] / "corpus" / "wire" / "kubectl-bodies.jsonl"
RECORDED = [json.loads(line) for line in CORPUS.read_text().splitlines()]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def chunk(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, raw: bytes, **more: str) -> bytes:
    unknown = chunk(1, chunk(1, api_version) + chunk(2, kind)) + chunk(2, raw)
    unknown += chunk(3, more.get("encoding", "")) + chunk(4, more.get("content_type", ""))
    return protobuf.MAGIC + unknown


@pytest.mark.parametrize("recorded", RECORDED, ids=[row["command"][:60] for row in RECORDED])
def test_kubectl_body_decodes_to_what_kubectl_prints_as_json(recorded: dict[str, Any]) -> None:
    assert decode_object(base64.b64decode(recorded["body"])) == without_nulls(recorded["object"])


def test_object_begins_with_its_type() -> None:
    assert list(decode_object(body("v1", "Namespace", chunk(1, chunk(1, "a")))))[:2] == ["apiVersion", "kind"]


def test_quantities_ints_and_attributes_of_a_slice_keep_their_types() -> None:
    attribute = chunk(1, "index") + chunk(2, integer(2, 3))
    flag = chunk(1, "fast") + chunk(2, integer(3, 0))
    empty = chunk(1, "note") + chunk(2, chunk(4, ""))
    capacity = chunk(1, "memory") + chunk(2, chunk(1, chunk(1, "80Gi")))
    device = chunk(1, "gpu-0") + chunk(2, attribute) + chunk(2, flag) + chunk(2, empty) + chunk(3, capacity)
    pool = chunk(1, "node") + integer(2, 0) + integer(3, 1)
    spec = chunk(1, "gpu.example.com") + chunk(2, pool) + chunk(6, device)
    decoded = decode_object(body("resource.k8s.io/v1", "ResourceSlice", chunk(2, spec)))
    assert decoded["spec"] == {
        "driver": "gpu.example.com",
        "pool": {"name": "node", "generation": 0, "resourceSliceCount": 1},
        "devices": [
            {
                "name": "gpu-0",
                "attributes": {"index": {"int": 3}, "fast": {"bool": False}, "note": {"string": ""}},
                "capacity": {"memory": {"value": "80Gi"}},
            }
        ],
    }


def test_opaque_parameters_become_plain_json_beside_their_driver() -> None:
    opaque = chunk(1, "gpu.example.com") + chunk(2, chunk(1, '{"kind":"GpuConfig","n":1}'))
    config = chunk(1, "req") + chunk(2, chunk(1, opaque))
    spec = chunk(1, chunk(3, config))
    decoded = decode_object(body("resource.k8s.io/v1", "ResourceClaim", chunk(2, spec)))
    assert decoded["spec"]["devices"]["config"] == [
        {
            "requests": ["req"],
            "opaque": {"driver": "gpu.example.com", "parameters": {"kind": "GpuConfig", "n": 1}},
        }
    ]


def test_pod_volumes_and_probes_are_flattened() -> None:
    volume = chunk(1, "v") + chunk(2, chunk(1, chunk(1, "/dev")))
    probe = chunk(1, chunk(1, chunk(1, "true"))) + integer(2, 0) + integer(4, 7)
    container = chunk(1, "c") + chunk(10, probe)
    decoded = decode_object(body("v1", "Pod", chunk(2, chunk(1, volume) + chunk(2, container))))
    assert decoded["spec"]["volumes"] == [{"name": "v", "hostPath": {"path": "/dev"}}]
    assert decoded["spec"]["containers"][0]["livenessProbe"] == {
        "exec": {"command": ["true"]},
        "periodSeconds": 7,
    }


def test_times_are_rfc3339_and_empty_times_are_absent() -> None:
    meta = chunk(1, "l") + chunk(8, integer(1, 1_763_874_000) + integer(2, 999))
    spec = chunk(4, b"") + chunk(3, integer(1, 1_763_874_000) + integer(2, 123_456_789))
    decoded = decode_object(body("coordination.k8s.io/v1", "Lease", chunk(1, meta) + chunk(2, spec)))
    assert decoded["metadata"]["creationTimestamp"] == "2025-11-23T05:00:00Z"
    assert "renewTime" not in decoded["spec"]


def test_micro_times_keep_six_digits() -> None:
    spec = chunk(4, integer(1, 1_763_874_000) + integer(2, 123_456_789))
    decoded = decode_object(body("coordination.k8s.io/v1", "Lease", chunk(2, spec)))
    assert decoded["spec"]["renewTime"] == "2025-11-23T05:00:00.123456Z"


def test_negative_integers_are_sign_extended() -> None:
    decoded = decode_object(body("scheduling.k8s.io/v1", "PriorityClass", integer(2, -5)))
    assert decoded["value"] == -5


def test_int_or_string_keeps_its_kind() -> None:
    def target(value: bytes) -> Any:
        port = integer(3, 80) + chunk(4, value)
        return decode_object(body("v1", "Service", chunk(2, chunk(1, port))))["spec"]["ports"][0][
            "targetPort"
        ]

    assert target(integer(1, 0) + integer(2, 8080) + chunk(3, "")) == 8080
    assert target(integer(1, 1) + integer(2, 0) + chunk(3, "http")) == "http"


def test_packed_and_unpacked_numbers_are_the_same_list() -> None:
    def groups(data: bytes) -> Any:
        return decode_object(body("v1", "Pod", chunk(2, chunk(14, data))))["spec"]["securityContext"]

    assert groups(integer(4, 1) + integer(4, 300)) == {"supplementalGroups": [1, 300]}
    assert groups(chunk(4, varint(1) + varint(300))) == {"supplementalGroups": [1, 300]}


def test_unknown_field_numbers_are_skipped() -> None:
    later = (
        integer(900, 1) + chunk(901, "x") + varint(902 << 3 | 1) + bytes(8) + varint(903 << 3 | 5) + bytes(4)
    )
    decoded = decode_object(body("v1", "Namespace", later + chunk(1, chunk(1, "a"))))
    assert decoded == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}


def test_fields_of_a_later_release_are_read() -> None:
    consumed = chunk(1, "s") + chunk(3, "g")
    device = chunk(1, "gpu-0") + chunk(4, consumed)
    spec = chunk(1, "d") + chunk(6, device) + chunk(9, "d/kind") + chunk(10, "*")
    for version in ("v1", "v1beta2"):
        decoded = decode_object(body(f"resource.k8s.io/{version}", "ResourceSlice", chunk(2, spec)))["spec"]
        assert (decoded["partitionTypeAttribute"], decoded["skipNodeOperations"]) == ("d/kind", ["*"])
        assert decoded["devices"][0]["consumesCounters"] == [
            {"counterSet": "s", "compatibilityGroups": ["g"]}
        ]


def test_types_of_a_later_release_are_read() -> None:
    def quantity(text: str) -> bytes:
        return chunk(1, text)

    capacity = (
        chunk(1, "memory") + chunk(2, quantity("2Gi")) + chunk(3, quantity("")) + chunk(4, quantity("2Gi"))
    )
    shareable = integer(1, 0) + integer(2, 3) + chunk(3, capacity)
    partition = chunk(1, "Half") + integer(2, 2) + integer(3, 0) + chunk(4, "d/kind")
    pool = chunk(1, "d") + chunk(2, "p") + integer(9, 1) + chunk(11, partition) + chunk(13, shareable)
    status = chunk(2, pool) + integer(6, 1)
    raw = chunk(2, chunk(1, "d") + chunk(4, "d/kind")) + chunk(3, status)
    decoded = decode_object(body("resource.k8s.io/v1alpha3", "ResourcePoolStatusRequest", raw))
    assert decoded["spec"] == {"driver": "d", "defaultPartitionTypeAttribute": "d/kind"}
    (found,) = decoded["status"]["pools"]
    assert found["partitionSummary"] == [
        {"attribute": "d/kind", "type": "Half", "total": 2, "allocatable": 0}
    ]
    assert found["shareableSummary"] == {
        "fullyAvailableDevices": 0,
        "partiallyAvailableDevices": 3,
        "capacity": [{"name": "memory", "total": "2Gi", "consumed": "0", "available": "2Gi"}],
    }
    taint = chunk(1, "k") + chunk(3, "NoSchedule")
    rule = chunk(2, chunk(1, chunk(2, "d") + chunk(4, "gpu-0")) + chunk(2, taint))
    assert decode_object(body("resource.k8s.io/v1", "DeviceTaintRule", rule))["spec"] == {
        "deviceSelector": {"driver": "d", "device": "gpu-0"},
        "taint": {"key": "k", "effect": "NoSchedule"},
    }


def test_what_devices_are_and_cost_of_their_node_is_read() -> None:
    def quantity(text: str) -> bytes:
        return chunk(1, text)

    mapping = chunk(1, "cpu") + chunk(2, quantity("2"))
    overhead = chunk(1, quantity("1Gi")) + chunk(2, quantity("5Mi"))
    entry = chunk(1, "cpu") + chunk(2, chunk(3, mapping) + chunk(4, overhead))
    expected = {
        "cpu": {
            "mapping": {"capacityKey": "cpu", "capacityMultiplier": "2"},
            "overhead": {"perPod": "1Gi", "perContainer": "5Mi"},
        }
    }
    for version in ("v1", "v1beta2"):
        spec = chunk(6, chunk(1, "x") + chunk(14, entry))
        decoded = decode_object(body(f"resource.k8s.io/{version}", "ResourceSlice", chunk(2, spec)))["spec"]
        assert decoded["devices"] == [{"name": "x", "nodeAllocatableResources": expected}]
    spec = chunk(6, chunk(1, "x") + chunk(2, chunk(14, entry)))
    decoded = decode_object(body("resource.k8s.io/v1beta1", "ResourceSlice", chunk(2, spec)))["spec"]
    assert decoded["devices"] == [{"name": "x", "basic": {"nodeAllocatableResources": expected}}]
    part = chunk(1, "cpu") + chunk(2, quantity("2"))
    cost = chunk(1, "memory") + chunk(2, quantity("1Gi")) + chunk(3, quantity("5Mi"))
    claim = chunk(1, "a") + chunk(2, "main") + chunk(4, part) + chunk(5, cost)
    status = decode_object(body("v1", "Pod", chunk(3, chunk(21, claim))))["status"]
    assert status["nodeAllocatableResourceClaimStatuses"] == [
        {
            "resourceClaimName": "a",
            "containers": ["main"],
            "mapping": [{"name": "cpu", "quantity": "2"}],
            "overhead": [{"name": "memory", "perPod": "1Gi", "perContainer": "5Mi"}],
        }
    ]


def test_delete_options_are_understood_in_every_group() -> None:
    raw = integer(1, 0) + chunk(4, "Background")
    for api_version in ("v1", "apps/v1", "resource.k8s.io/v1", "policy/v1"):
        decoded = decode_object(body(api_version, "DeleteOptions", raw))
        assert decoded["propagationPolicy"] == "Background"
        assert decoded["gracePeriodSeconds"] == 0


def test_eviction_carries_its_delete_options() -> None:
    raw = chunk(1, chunk(1, "p")) + chunk(2, integer(1, 5))
    assert decode_object(body("policy/v1", "Eviction", raw))["deleteOptions"] == {"gracePeriodSeconds": 5}


def test_managed_fields_are_json() -> None:
    entry = chunk(1, "kubectl") + chunk(2, "Apply") + chunk(7, chunk(1, '{"f:spec":{}}'))
    decoded = decode_object(body("v1", "ConfigMap", chunk(1, chunk(17, entry))))
    assert decoded["metadata"]["managedFields"] == [
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    ]


def test_json_inside_the_envelope_is_accepted() -> None:
    data = body("v1", "ConfigMap", b'{"data":{"a":"b"}}', content_type="application/json")
    assert decode_object(data) == {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}


def test_objects_inside_a_list_are_decoded_whatever_their_form() -> None:
    inner = body("v1", "Namespace", chunk(1, chunk(1, "a")))
    raw = chunk(2, chunk(1, inner)) + chunk(2, chunk(1, b'{"kind":"X"}'))
    assert decode_object(body("v1", "List", raw))["items"] == [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}},
        {"kind": "X"},
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "expected prefix"),
        (b'{"kind":"Pod"}', "expected prefix"),
        (protobuf.MAGIC, "does not say which"),
        (body("v1", "Namespace", b"", encoding="gzip"), "content encoding 'gzip'"),
        (body("example.com/v1", "Foo", b""), "Foo of example.com/v1 has no protobuf form"),
        (body("v1", "Namespace", chunk(1, b"\x0a\x05ab")), "middle of a field"),
        (body("v1", "Namespace", b"\x80"), "middle of a number"),
        (body("v1", "Namespace", b"\xff" * 11), "more than ten bytes"),
        (body("v1", "Namespace", b"\x00\x00"), "field number 0"),
        (body("v1", "Namespace", chunk(1, chunk(1, b"\xff"))), "not valid UTF-8"),
        (body("v1", "Namespace", integer(1, 1)), "wire type 0"),
        (body("v1", "ConfigMap", chunk(1, b"\x0b")), "wire type 3"),
        (body("scheduling.k8s.io/v1", "PriorityClass", chunk(2, "x")), "an integer is written"),
        (body("v1", "ConfigMap", b"{", content_type="application/json"), "malformed"),
        (body("v1", "ConfigMap", b"[]", content_type="application/json"), "not an object"),
        (body("v1", "Namespace", chunk(1, chunk(8, integer(1, 1 << 60)))), "outside the years"),
    ],
)
def test_bad_bodies_say_what_is_wrong(data: bytes, why: str) -> None:
    with pytest.raises(ProtobufError, match=why):
        decode_object(data)


def test_bodies_over_the_size_limit_are_refused() -> None:
    with pytest.raises(ProtobufError, match="more than the 10 that are accepted"):
        decode_object(body("v1", "Namespace", b""), max_size=10)


def test_nesting_is_bounded() -> None:
    schema = b""
    for _ in range(200):
        schema = chunk(28, schema)
    version = chunk(4, chunk(1, schema))
    raw = chunk(2, chunk(7, version))
    with pytest.raises(ProtobufError, match="nests deeper"):
        decode_object(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", raw))


def test_envelopes_inside_envelopes_are_bounded() -> None:
    data = body("v1", "Namespace", b"")
    for _ in range(200):
        data = body("v1", "List", chunk(2, chunk(1, data)))
    with pytest.raises(ProtobufError, match="nests deeper"):
        decode_object(data)


def test_number_of_values_is_bounded() -> None:
    with pytest.raises(ProtobufError, match="more than 500000 values"):
        decode_object(body("v1", "Pod", chunk(2, chunk(2, b"") * 600_000)))


def test_not_a_number_is_refused_since_json_has_none() -> None:
    schema = varint(9 << 3 | 1) + struct.pack("<d", float("nan"))
    raw = chunk(2, chunk(7, chunk(4, chunk(1, schema))))
    with pytest.raises(ProtobufError, match="finite"):
        decode_object(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", raw))


KINDS = [
    ("v1", "Pod"),
    ("v1", "List"),
    ("apps/v1", "DaemonSet"),
    ("resource.k8s.io/v1", "ResourceSlice"),
    ("resource.k8s.io/v1beta1", "ResourceClaim"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
]


@given(st.sampled_from(KINDS), st.binary(max_size=200))
@settings(max_examples=300)
def test_random_messages_give_json_or_protobuf_error(kind: tuple[str, str], raw: bytes) -> None:
    try:
        decoded = decode_object(body(*kind, raw))
    except ProtobufError:
        return
    json.dumps(decoded, allow_nan=False)


@given(st.sampled_from(RECORDED), st.integers(0, 2000), st.binary(min_size=1, max_size=4))
@settings(max_examples=300)
def test_damaged_kubectl_bodies_give_json_or_protobuf_error(
    recorded: dict[str, Any], position: int, damage: bytes
) -> None:
    data = bytearray(base64.b64decode(recorded["body"]))
    start = position % len(data)
    data[start : start + len(damage)] = damage
    try:
        decoded = decode_object(bytes(data))
    except ProtobufError:
        return
    json.dumps(decoded, allow_nan=False)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (250_000_000, "250ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (3_661_000_000_000, "1h1m1s"),
        (-90_000_000_000, "-1m30s"),
    ],
)
def test_durations_are_written_as_go_writes_them(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text
