"""Agreement with recordings of the real API server: what it wrote reads back unchanged, what it refused is refused."""

import gzip
import json
import pathlib
from typing import Any

import pytest

from dray.api.schema import DecodeError, decode, schema_for

CORPUS = pathlib.Path(__file__).parents[3] / "corpus/structure"


def _rows(name: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in gzip.decompress((CORPUS / f"{name}.jsonl.gz").read_bytes()).splitlines()
    ]


def test_objects_the_server_wrote_are_already_canonical() -> None:
    objects = _rows("canonical-objects")

    for obj in objects:
        schema = schema_for(obj["apiVersion"], obj["kind"])
        assert schema is not None
        assert decode(obj, schema).object == obj
    assert len(objects) > 300


@pytest.mark.parametrize("case", _rows("decoding"), ids=lambda case: str(case["id"]))
def test_requests_are_refused_or_warned_about_in_the_servers_words(case: dict[str, Any]) -> None:
    given = json.loads(case["body"])
    schema = schema_for(given["apiVersion"], given["kind"])
    assert schema is not None

    if case["error"] and not case["strict"]:
        with pytest.raises(DecodeError) as refused:
            decode(case["body"].encode(), schema)
        assert str(refused.value) == case["error"]
        return
    found = decode(case["body"].encode(), schema).strict_errors
    if case["strict"]:
        assert f"strict decoding error: {', '.join(found)}" == case["error"]
    else:
        assert list(found) == case["warnings"]
