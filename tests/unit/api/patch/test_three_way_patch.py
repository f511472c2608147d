"""The patch of `kubectl apply` sets what a manifest names, deletes what it named before, and leaves the rest alone."""

from typing import Any

import pytest

from dray.api.patch.strategic import strategic_merge_patch
from dray.api.patch.three_way import three_way_patch
from dray.api.schema.registry import schema_for

POD = schema_for("v1", "Pod")


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


def spec(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **more}}


def labels(**values: str | None) -> dict[str, Any]:
    return {"metadata": {"labels": values}}


def tolerations(*values: Any) -> dict[str, Any]:
    return {"spec": {"tolerations": list(values)}}


@pytest.mark.parametrize(
    ("before", "wanted", "live", "patch"),
    [
        pytest.param({}, {"a": 1}, {"a": 1, "b": 2}, {}, id="as wanted"),
        pytest.param({}, {"a": 1}, {"a": 2}, {"a": 1}, id="changed by others"),
        pytest.param({"a": 1}, {}, {"a": 1, "b": 2}, {"a": None}, id="named no more"),
        pytest.param({"a": 1}, {}, {"b": 2}, {}, id="named no more and gone"),
        pytest.param(labels(x="1"), labels(), labels(x="1", y="2"), labels(x=None), id="in depth"),
        pytest.param({}, tolerations("a"), tolerations("a", "b"), tolerations("a"), id="list as a whole"),
        pytest.param(
            {}, tolerations({"a": 1}), tolerations({"a": 1, "x": 2}), tolerations({"a": 1}), id="of maps"
        ),
        pytest.param(
            spec(container("a")),
            spec(container("a", image="new"), container("b")),
            spec(container("a", image="old", imagePullPolicy="Always"), container("injected")),
            spec(container("a", image="new"), container("b")),
            id="elements by their keys",
        ),
        pytest.param(
            spec(container("a"), container("b")),
            spec(container("a")),
            spec(container("a"), container("b"), container("injected")),
            {"spec": {"containers": [{"$patch": "delete", "name": "b"}]}},
            id="element named no more",
        ),
    ],
)
def test_patch(before: Any, wanted: Any, live: Any, patch: Any) -> None:
    found = three_way_patch(before, wanted, live, POD)
    assert found == patch
    settled = strategic_merge_patch(live, found, POD) if found else live
    assert three_way_patch(wanted, wanted, settled, POD) == {}


def test_union_keeps_only_what_is_wanted() -> None:
    deployment = schema_for("apps/v1", "Deployment")
    wanted = {"spec": {"strategy": {"type": "Recreate"}}}
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = three_way_patch({}, wanted, live, deployment)
    assert strategic_merge_patch(live, patch, deployment) == wanted
