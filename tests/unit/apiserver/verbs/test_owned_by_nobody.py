"""An empty list of managedFields makes everybody forget what they own; none, and null, change nothing."""

from typing import Any

import pytest

from dray.api.resources import CONFIG_MAPS
from dray.client.protocol import PatchType
from tests.unit.apiserver.admission.cluster import new_cluster

PLACE = "/metadata/managedFields"


@pytest.mark.parametrize(
    ("language", "given"),
    [
        (PatchType.MERGE, lambda entries: {"metadata": {"managedFields": entries}}),
        (PatchType.STRATEGIC, lambda entries: {"metadata": {"managedFields": entries}}),
        (PatchType.JSON, lambda entries: [{"op": "add", "path": PLACE, "value": entries}]),
    ],
)
async def test_a_patch_to_an_empty_list(language: PatchType, given: Any) -> None:
    async with new_cluster() as cluster:
        await cluster.write(data={"a": "1"})

        async def owners(entries: Any) -> list[str]:
            patched = await cluster.client.patch(
                CONFIG_MAPS, "m", given(entries), "default", patch_type=language
            )
            return [entry["operation"] for entry in patched["metadata"].get("managedFields", ())]

        assert await owners(None) == ["Update"]
        assert await owners([]) == []
