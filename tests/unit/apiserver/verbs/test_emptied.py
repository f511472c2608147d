"""What a client sent empty is shown in refusals, and stored nowhere."""

import pytest

from dray.api import errors
from dray.api.meta import replace_at
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.structure import Body
from dray.apiserver.verbs.patch import patch
from dray.client.protocol import PatchType

from ..serving import add, call, new_core


async def test_a_refusal_shows_the_empty_list_that_the_patch_made() -> None:
    core = await new_core(RESOURCE_CLAIM)
    request = {"name": "r", "exactly": {"deviceClassName": "c"}}
    stored = await add(
        core,
        RESOURCE_CLAIM.resource,
        {"metadata": {"name": "x"}, "spec": {"devices": {"requests": [request]}}},
    )
    calling = call(core, "patch", RESOURCE_CLAIM.resource, "x")
    change = {
        "spec": {"devices": {"requests": [replace_at(request, ("exactly", "selectors"), [])], "config": []}}
    }
    await patch(calling, PatchType.MERGE, Body(change))
    assert core.store.get(calling.stored.qualified, "ns/x").obj == stored
    change["spec"]["devices"]["requests"].append({**request, "name": "s"})
    with pytest.raises(errors.Invalid, match=r'"Selectors":\[\].*"Selectors":null.*"Config":\[\]'):
        await patch(calling, PatchType.MERGE, Body(change))
