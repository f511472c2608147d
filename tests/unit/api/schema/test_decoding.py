"""JSON becomes an object as Go's types read it, and comes out as they write it."""

import json
from typing import Any

import pytest

from dray.api.schema import Decoded, DecodeError, decode, restore, schema_for

CORE = "v1"
DRA = "resource.k8s.io/v1"


def _decode(data: Any, kind: str = "Pod", api_version: str = CORE, **options: Any) -> Decoded:
    schema = schema_for(api_version, kind)
    assert schema is not None
    return decode(data if isinstance(data, bytes | dict) else data.encode(), schema, **options)


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    spec_out = _decode({"spec": spec}).object["spec"]
    assert isinstance(spec_out, dict)
    return spec_out


def test_empty_optional_values_vanish() -> None:
    spec = _pod(
        {"hostNetwork": False, "nodeName": "", "tolerations": [], "nodeSelector": {}, "volumes": None}
    )

    assert spec == {"containers": None}


def test_zero_survives_where_go_has_a_pointer() -> None:
    given = {"activeDeadlineSeconds": 0, "hostUsers": False, "securityContext": {}, "preemptionPolicy": ""}

    assert _pod(given) == {"containers": None, **given}


def test_fields_without_omitempty_are_always_written() -> None:
    claim = _decode({"spec": {}}, "ResourceClaim", DRA).object
    status = {"devices": [{"driver": "d", "pool": "p", "device": "x"}], "allocation": {}}
    with_status = _decode({"status": status}, "ResourceClaim", DRA).object["status"]

    assert claim["spec"] == {"devices": {"requests": None}}
    assert claim["status"] == {}
    assert with_status["allocation"] == {"devices": {}}
    assert with_status["devices"][0]["conditions"] is None


def test_required_empty_lists_are_as_none() -> None:
    rule = {"verbs": [], "resources": []}

    role = _decode({"rules": [rule]}, "ClusterRole", "rbac.authorization.k8s.io/v1").object

    assert role["rules"] == [{"verbs": None}]


def test_a_zero_time_of_creation_is_left_out() -> None:
    for time in (None, "0001-01-01T00:00:00Z", "0001-01-01T01:00:00+01:00"):
        meta = _decode({"metadata": {"creationTimestamp": time, "deletionTimestamp": time}}).object[
            "metadata"
        ]

        assert meta == ({} if time is None else {"deletionTimestamp": None})


def test_unset_plain_timestamps_are_null() -> None:
    pod = _decode({"status": {"conditions": [{"type": "A", "status": "True"}]}}).object

    assert pod["status"]["conditions"] == [
        {"type": "A", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}
    ]
    assert "creationTimestamp" not in pod["metadata"]


def test_quantities_are_canonical() -> None:
    given = {
        "containers": [{"name": "c", "resources": {"requests": {"memory": "1024Mi", "cpu": 0.5, "x": 2}}}]
    }

    requests = _pod(given)["containers"][0]["resources"]["requests"]

    assert requests == {"cpu": "500m", "memory": "1Gi", "x": "2"}


def test_keys_of_maps_are_sorted_and_fields_are_in_struct_order() -> None:
    pod = _decode('{"spec":{},"metadata":{"uid":"u","labels":{"b":"1","a":"2"},"name":"n"}}')

    assert json.dumps(pod.object) == json.dumps(
        {
            "metadata": {"name": "n", "uid": "u", "labels": {"a": "2", "b": "1"}},
            "spec": {"containers": None},
            "status": {},
        }
    )


def test_opaque_json_is_kept_as_it_came() -> None:
    parameters = {"z": {"b": None, "a": [1, {}]}, "count": 1.50, "": []}
    config = [{"opaque": {"driver": "d", "parameters": parameters}}]

    decoded = _decode({"spec": {"config": config}}, "DeviceClass", DRA).object

    assert json.dumps(decoded["spec"]["config"][0]["opaque"]["parameters"]) == json.dumps(parameters)


def test_the_result_shares_no_structure_with_the_input() -> None:
    given = {"spec": {"containers": [{"name": "c"}]}, "metadata": {"labels": {"a": "b"}}}

    decoded = _decode(given).object
    decoded["spec"]["containers"][0]["name"] = "changed"
    decoded["metadata"]["labels"]["a"] = "changed"

    assert given == {"spec": {"containers": [{"name": "c"}]}, "metadata": {"labels": {"a": "b"}}}


def test_null_elements_become_zero_values() -> None:
    assert _pod({"imagePullSecrets": [None]})["imagePullSecrets"] == [{}]
    assert _decode({"metadata": {"finalizers": [None], "labels": {"a": None}}}).object["metadata"] == {
        "labels": {"a": ""},
        "finalizers": [""],
    }


def test_field_names_are_case_sensitive() -> None:
    decoded = _decode('{"Spec":{"nodeName":"x"},"spec":{"NodeName":"x"}}')

    assert decoded.strict_errors == ('unknown field "Spec"', 'unknown field "spec.NodeName"')
    assert decoded.object["spec"] == {"containers": None}


def test_strict_errors_come_in_document_order_with_their_places() -> None:
    text = (
        '{"foo":1,"metadata":{"name":"a","name":"b","labels":{"x":"1","x":"2"}},'
        '"spec":{"containers":[{"name":"c","bar":{"deep":1}},{"zork":1}]}}'
    )

    assert _decode(text).strict_errors == (
        'unknown field "foo"',
        'duplicate field "metadata.name"',
        'duplicate field "metadata.labels.x"',
        'unknown field "spec.containers[0].bar"',
        'unknown field "spec.containers[1].zork"',
    )


def test_the_last_duplicate_wins() -> None:
    assert _decode('{"metadata":{"name":"a","name":"b"}}').object["metadata"] == {"name": "b"}


def test_duplicates_inside_opaque_json_are_nobodys_business() -> None:
    text = '{"spec":{"config":[{"opaque":{"driver":"d","parameters":{"a":1,"a":2}}}]}}'

    assert _decode(text, "DeviceClass", DRA).strict_errors == ()


def test_lenient_decoding_reports_unknown_fields_only() -> None:
    decoded = _decode('{"foo":1,"metadata":{"name":"a","name":"b"}}', strict=False)

    assert decoded.strict_errors == ('unknown field "foo"',)
    assert decoded.object["metadata"] == {"name": "b"}


def test_at_most_a_hundred_strict_errors_are_kept() -> None:
    text = json.dumps({f"field{index}": 1 for index in range(150)})

    assert len(_decode(text).strict_errors) == 100


TYPE_ERRORS = {
    '{"metadata":{"name":1}}': (
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string"
    ),
    '{"spec":{"containers":[{"ports":[{"containerPort":"x"}]}]}}': (
        "json: cannot unmarshal string into Go struct field "
        "ContainerPort.spec.containers.ports.containerPort of type int32"
    ),
    '{"spec":{"restartPolicy":[]}}': (
        "json: cannot unmarshal array into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy"
    ),
    '{"spec":{"hostNetwork":"yes"}}': (
        "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"
    ),
    '{"spec":{"priority":3000000000}}': (
        "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32"
    ),
    '{"spec":{"priority":1.50}}': (
        "json: cannot unmarshal number 1.50 into Go struct field PodSpec.spec.priority of type int32"
    ),
    '{"spec":{"containers":{}}}': (
        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"
    ),
    '{"spec":{"containers":["x"]}}': (
        "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container"
    ),
    '{"spec":{"nodeSelector":[]}}': (
        "json: cannot unmarshal array into Go struct field PodSpec.spec.nodeSelector of type map[string]string"
    ),
    '{"spec":"x"}': "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec",
    '{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":1.5}}}]}}': (
        "json: cannot unmarshal number 1.5 into Go struct field "
        "HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32"
    ),
    '{"metadata":{"creationTimestamp":5}}': (
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string"
    ),
    '{"spec":{"overhead":{"cpu":"1GB"}}}': (
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    ),
    '"text"': "json: cannot unmarshal string into Go value of type v1.Pod",
    "{": "unexpected end of JSON input",
}


@pytest.mark.parametrize("text", TYPE_ERRORS)
def test_wrong_types_are_refused_in_gos_words(text: str) -> None:
    with pytest.raises(DecodeError) as refused:
        _decode(text)

    assert str(refused.value) == TYPE_ERRORS[text]


def test_the_first_type_error_is_reported_but_a_parser_error_goes_before() -> None:
    wrong_twice = '{"metadata":{"name":1},"spec":{"hostNetwork":1}}'
    then_a_parser = '{"metadata":{"name":1},"spec":{"overhead":{"cpu":"x"}}}'

    with pytest.raises(DecodeError, match=r"ObjectMeta\.metadata\.name"):
        _decode(wrong_twice)
    with pytest.raises(DecodeError, match="quantities must match"):
        _decode(then_a_parser)


def test_bad_base64_is_refused() -> None:
    with pytest.raises(DecodeError, match="illegal base64 data at input byte 2"):
        _decode('{"data":{"a":"ab!="}}', "Secret")


CONVERTER_ERRORS = {
    '{"data":"x"}': "cannot restore map from string",
    '{"metadata":[]}': "cannot restore struct from: slice",
    '{"metadata":{"finalizers":{}}}': "cannot restore slice from map",
    '{"metadata":{"generation":"x"}}': "unrecognized type: int64",
    '{"metadata":{"name":1}}': "cannot convert int64 to string",
    '{"immutable":"x"}': "unrecognized type: bool",
    '{"metadata":{"name":1.0}}': "unrecognized type: string",
    '{"metadata":{"generation":1.5}}': "cannot convert float64 to int64",
    '{"metadata":{"finalizers":1.0}}': "cannot restore slice from float64",
    '{"immutable":1,"data":"x","metadata":5}': "cannot restore struct from: int64",
    '{"metadata":{"creationTimestamp":5}}': "json: cannot unmarshal number into Go value of type string",
    '{"metadata":{"creationTimestamp":{}}}': "json: cannot unmarshal object into Go value of type string",
}


@pytest.mark.parametrize("text", CONVERTER_ERRORS)
def test_restoring_parsed_values_speaks_the_converters_words(text: str) -> None:
    schema = schema_for("v1", "ConfigMap")
    assert schema is not None

    with pytest.raises(DecodeError) as refused:
        restore(json.loads(text), schema)

    assert str(refused.value) == CONVERTER_ERRORS[text]


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (True, "bool"),
        ({}, "object"),
        ([], "array"),
        (1.5, "number 1.5"),
        (3_000_000_000, "number 3000000000"),
        (1e21, "number 1e+21"),
    ],
)
def test_restoring_what_is_neither_a_number_nor_text(sent: Any, what: str) -> None:
    schema = schema_for("apps/v1", "Deployment")
    assert schema is not None
    with pytest.raises(DecodeError) as refused:
        restore({"spec": {"strategy": {"rollingUpdate": {"maxSurge": sent}}}}, schema)
    assert str(refused.value) == f"json: cannot unmarshal {what} into Go value of type int32"
    rolling = restore({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 2.0}}}}, schema).object
    assert rolling["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 2}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(3.0, 3), (2**32 + 1, 1), (2**31, -(2**31)), (-(2**31) - 1, 2**31 - 1), (1e30, 0), (2.0**40, 0)],
)
def test_restoring_keeps_the_lower_bits_of_a_number_that_is_too_large(sent: float, kept: int) -> None:
    schema = schema_for("apps/v1", "Deployment")
    assert schema is not None
    spec = restore({"spec": {"replicas": sent}}, schema).object["spec"]
    assert spec["replicas"] == kept


def test_restoring_reports_unknown_fields_sorted() -> None:
    schema = schema_for("v1", "ConfigMap")
    assert schema is not None
    found = restore({"zork": 1, "metadata": {"q": 1}, "foo": 1}, schema).strict_errors
    assert found == ('unknown field "foo"', 'unknown field "metadata.q"', 'unknown field "zork"')


def test_restoring_gives_what_decoding_gives() -> None:
    schema = schema_for("v1", "Pod")
    assert schema is not None
    given = {"foo": 1, "spec": {"containers": [{"name": "c", "stdin": False}], "priority": 0}}

    assert restore(given, schema) == decode(given, schema)


def test_empty_lists_stay_where_validation_tells_them_from_absent_ones() -> None:
    spec = {"devices": [], "sharedCounters": []}

    decoded = _decode({"spec": spec}, "ResourceSlice", DRA).object["spec"]

    assert (decoded["devices"], decoded["sharedCounters"]) == ([], [])


def test_json_nested_too_deeply_to_be_written_is_refused() -> None:
    def config(depth: int) -> str:
        return '{"spec":{"config":[{"opaque":{"driver":"d","parameters":%s}}]}}' % (
            '{"a":' * depth + "1" + "}" * depth
        )

    kept = _decode(config(200), "DeviceClass", DRA).object
    assert json.dumps(kept).count('"a"') == 200
    for depth in (202, 900, 100_000):
        with pytest.raises(DecodeError):
            _decode(config(depth), "DeviceClass", DRA)
