"""A patch that makes something else of an object: refused for what a body of that type would be refused for."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import CONFIG_MAPS
from dray.client.protocol import PatchType
from tests.unit.apiserver.admission.cluster import new_cluster

SCHEME = 'in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"'
NAMELESS = "the name of the object (m based on URL) was undeterminable: name must be provided"
CASES: list[tuple[Any, str]] = [
    ({"apiVersion": "v2"}, f'no kind "ConfigMap" is registered for version "v2" {SCHEME}'),
    ({"kind": "Gizmo"}, f'no kind "Gizmo" is registered for version "v1" {SCHEME}'),
    ({"kind": "Pod"}, "converting (v1.Pod) to (core.ConfigMap): unknown conversion"),
    ({"kind": "Secret"}, "illegal base64 data at input byte 0"),
    (
        {"kind": 1},
        "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
    ),
    ({"apiVersion": None}, NAMELESS),
    ({"kind": None}, ""),
    ({"apiVersion": "v1", "kind": "ConfigMap"}, ""),
    (
        [{"op": "replace", "path": "/kind", "value": "Pod"}],
        "converting (v1.Pod) to (core.ConfigMap): unknown conversion",
    ),
    ([{"op": "remove", "path": "/apiVersion"}], NAMELESS),
]


@pytest.mark.parametrize(("patch", "why"), CASES)
async def test_a_patch_keeps_the_type(patch: Any, why: str) -> None:
    language = PatchType.JSON if isinstance(patch, list) else PatchType.MERGE
    async with new_cluster() as cluster:
        await cluster.write(data={"a": "1"})

        async def change() -> Any:
            return await cluster.client.patch(CONFIG_MAPS, "m", patch, "default", patch_type=language)

        if not why:
            assert (await change())["data"] == {"a": "1"}
            return
        with pytest.raises(errors.StatusError) as refused:
            await change()
        assert str(refused.value).endswith(why)
        assert isinstance(refused.value, errors.BadRequest if why == NAMELESS else errors.Invalid)


async def test_a_strategic_patch_says_nothing_of_the_type() -> None:
    async with new_cluster() as cluster:
        await cluster.write(data={"a": "1"})
        patched = await cluster.client.patch(
            CONFIG_MAPS, "m", {"kind": "Pod", "apiVersion": "v2"}, "default", patch_type=PatchType.STRATEGIC
        )
        assert (patched["kind"], patched["data"]) == ("ConfigMap", {"a": "1"})
