"""kubectl's client-side annotation and server-side apply."""

import datetime as dt
import json
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.ownership import apply, record_update
from dray.apiserver.ownership.last_applied import ANNOTATION

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _map(data: dict[str, str], annotations: dict[str, str] | None = None) -> Object:
    metadata: dict[str, Any] = {"name": "cm"} | ({"annotations": annotations} if annotations else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _client_side_applied(data: dict[str, str], live: dict[str, str] | None = None) -> Object:
    obj = _map(live or data, {ANNOTATION: json.dumps(_map(data))})
    applied = record_update(None, obj, manager="kubectl-client-side-apply", api_version="v1", now=NOW)
    applied["metadata"]["uid"] = "u"
    return applied


def _apply(live: Object, data: dict[str, str], manager: str) -> Object:
    return apply(live, _map(data), manager=manager, api_version="v1", now=NOW)


def test_kubectl_takes_over_what_it_applied_from_the_client() -> None:
    applied = _apply(_client_side_applied({"a": "1"}), {"a": "2"}, "kubectl")

    assert applied["data"] == {"a": "2"}


def test_other_managers_do_not() -> None:
    with pytest.raises(errors.Conflict):
        _apply(_client_side_applied({"a": "1"}), {"a": "2"}, "other")


def test_fields_changed_since_still_conflict() -> None:
    live = _client_side_applied({"a": "1", "b": "1"}, live={"a": "1", "b": "changed"})

    with pytest.raises(errors.Conflict) as refused:
        _apply(live, {"a": "2", "b": "2"}, "kubectl")

    assert refused.value.message.startswith("Apply failed with 1 conflict:")
    assert refused.value.message.endswith(".data.b")


def test_the_annotation_follows_what_kubectl_applies() -> None:
    applied = _apply(_client_side_applied({"a": "1"}), {"a": "2"}, "kubectl")

    text = applied["metadata"]["annotations"][ANNOTATION]
    assert json.loads(text)["data"] == {"a": "2"}
    assert text.endswith("}\n")


def test_no_annotation_is_started() -> None:
    live = record_update(None, _map({"a": "1"}), manager="kubectl", api_version="v1", now=NOW)
    live["metadata"]["uid"] = "u"

    assert "annotations" not in _apply(live, {"b": "1"}, "kubectl")["metadata"]
