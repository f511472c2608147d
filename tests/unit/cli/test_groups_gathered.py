"""Questions about PodGroups read them in the version that the server's release has, if it has them."""

import pytest

from dray.api.features import FeatureGates
from dray.api.meta import Object, name_of
from dray.api.pod_groups import pod_groups_in
from dray.api.resources import NAMESPACES, POD_GROUPS
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.cli.insight.gather import gather
from dray.client.config import ClientConfig
from dray.client.http import HttpClient
from dray.client.versions import VersionedClient
from dray.insight import Snapshot
from dray.store.memory import MemoryStore


async def gathered(features: FeatureGates, *, with_group: bool = True) -> Snapshot:
    server = ApiServer(MemoryStore(), catalog(features.release), features=features)
    if with_group:
        local, resource = LocalClient(server.core), pod_groups_in(features)
        await local.create(NAMESPACES, {"metadata": {"name": "ns"}})
        group: Object = {"metadata": {"name": "g"}, "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
        await local.create(resource, group, "ns")
    await server.start()
    try:
        async with HttpClient(ClientConfig(server=f"http://{server.address}")) as client:
            return await gather(VersionedClient(client), (POD_GROUPS,), {})
    finally:
        await server.stop()


@pytest.mark.parametrize("release", ["1.36", "1.37"])
async def test_groups_are_found_in_either_release(release: str) -> None:
    snapshot = await gathered(FeatureGates({"GenericWorkload": True}, release))
    (group,) = snapshot.of(POD_GROUPS)
    assert (name_of(group), group["spec"]["schedulingPolicy"]) == ("g", {"gang": {"minCount": 2}})


@pytest.mark.parametrize("release", ["1.35", "1.36", "1.37"])
async def test_a_server_without_groups_has_none(release: str) -> None:
    snapshot = await gathered(FeatureGates({"GenericWorkload": False}, release), with_group=False)
    assert snapshot.knows(POD_GROUPS)
    assert list(snapshot.of(POD_GROUPS)) == []
