"""Protobuf bodies with every plain field in them, as clients in Go write them, say what the JSON form says."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dray.apiserver.structure import Body, structured
from dray.apiserver.type_name import TypeName
from dray.testing.go_bodies import encode_object
from dray.wire.protobuf import decode_object

CORPUS = Path(__file__).parents[2] / "corpus" / "structure" / "canonical-objects.jsonl.gz"
OBJECTS = [json.loads(line) for line in gzip.decompress(CORPUS.read_bytes()).splitlines()]


def test_every_recorded_object_is_the_same_in_protobuf_and_in_json() -> None:
    differ = []
    for obj in OBJECTS:
        wanted = TypeName(obj["apiVersion"], obj["kind"])
        sent = decode_object(encode_object(obj))
        if structured(Body(sent), wanted) != structured(Body(obj), wanted):
            differ.append((obj, sent))
    assert differ == []
    assert len(OBJECTS) > 300


@pytest.mark.parametrize(
    "obj",
    [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "ports": [{"name": "", "port": 0}],
            "endpoints": [{"addresses": ["10.0.0.1"], "hostname": ""}],
        },
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": ""}},
        {"apiVersion": "apps/v1", "kind": "DeleteOptions", "preconditions": {"uid": ""}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "spec": {"storageClassName": "", "dataSourceRef": {"namespace": ""}},
        },
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "spec": {"nodeName": "", "allNodes": False, "pool": {"generation": 0}},
        },
    ],
    ids=lambda obj: obj["kind"],
)
def test_a_zero_behind_a_pointer_is_a_value_of_its_own(obj: dict[str, Any]) -> None:
    wanted = TypeName(obj["apiVersion"], obj["kind"])
    shown = structured(Body(decode_object(encode_object(obj))), wanted)
    assert shown == structured(Body(obj), wanted)
