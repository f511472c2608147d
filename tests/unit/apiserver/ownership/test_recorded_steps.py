"""Writes of real components, one at a time: the entries that the real server recorded for each."""

import datetime as dt
import gzip
import json
import pathlib
from typing import Any

import pytest

from dray.api.meta import Object, without
from dray.apiserver.ownership import record_update, reset_fields

CORPUS = pathlib.Path(__file__).parents[3] / "corpus/structure/ownership-steps.jsonl.gz"
STEPS = [json.loads(line) for line in gzip.decompress(CORPUS.read_bytes()).splitlines()]


def _fields(obj: Object) -> dict[tuple[str, ...], Any]:
    keys = ("manager", "operation", "subresource", "apiVersion")
    entries = obj["metadata"].get("managedFields", [])
    return {tuple(entry.get(key, "") for key in keys): entry["fieldsV1"] for entry in entries}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step['new']['kind']}-{step['manager']}")
def test_the_recorded_write_gives_the_recorded_owners(step: dict[str, Any]) -> None:
    new, subresource = step["new"], step["subresource"]
    written = without(new, ("metadata", "managedFields"))
    if step["old"] is None:
        written = without(written, ("metadata", "uid"))

    recorded = record_update(
        step["old"],
        written,
        manager=step["manager"],
        api_version=new["apiVersion"],
        subresource=subresource,
        now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        reset_fields=reset_fields(new["kind"], subresource),
    )

    assert _fields(recorded) == _fields(new)
