"""What a server makes sure of at every start, and what it then brings up to date."""

from dray.api.meta import Object
from dray.api.resources import CONFIG_MAPS, ENDPOINT_SLICES, ENDPOINTS, SERVICES
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.local import LocalClient
from tests.unit.apiserver.admission.cluster import Cluster, new_cluster

AUTHENTICATION = "extension-apiserver-authentication"


async def start(cluster: Cluster, address: str = "", port: int = 6443, authority: str = "pem") -> None:
    core = cluster.server.core
    await bootstrap(
        core,
        LocalClient(core),
        service_ip="10.96.0.1",
        service_port=port,
        reached_at=address,
        authentication={"client-ca-file": authority},
    )


async def where(cluster: Cluster) -> tuple[Object, Object]:
    """What the two forms say of the first address and its port."""
    endpoints = await cluster.client.get(ENDPOINTS, "kubernetes", "default")
    endpoint_slice = await cluster.client.get(ENDPOINT_SLICES, "kubernetes", "default")
    [subset] = endpoints["subsets"]
    old = {"ip": subset["addresses"][0]["ip"], "port": subset["ports"][0]["port"]}
    new = {
        "ip": endpoint_slice["endpoints"][0]["addresses"][0],
        "port": endpoint_slice["ports"][0]["port"],
    }
    return old, new


async def test_the_service_leads_to_where_the_server_is_now() -> None:
    async with new_cluster() as cluster:
        await start(cluster, "192.0.2.1", 6443)
        assert await where(cluster) == ({"ip": "192.0.2.1", "port": 6443},) * 2
        await start(cluster, "192.0.2.2", 7443)
        assert await where(cluster) == ({"ip": "192.0.2.2", "port": 7443},) * 2


async def test_a_server_that_only_its_own_machine_reaches_has_a_service_without_addresses() -> None:
    async with new_cluster() as cluster:
        await start(cluster)
        assert (await cluster.client.get(SERVICES, "kubernetes", "default"))["spec"][
            "clusterIP"
        ] == "10.96.0.1"
        assert (await cluster.client.list(ENDPOINTS)).items == []


async def test_the_authority_for_clients_is_published_as_it_is_now() -> None:
    async with new_cluster() as cluster:
        for authority in ("old", "new"):
            await start(cluster, authority=authority)
            seen = await cluster.client.get(CONFIG_MAPS, AUTHENTICATION, "kube-system")
            assert seen["data"] == {"client-ca-file": authority}


async def test_what_an_administrator_changed_stays_at_the_next_start() -> None:
    async with new_cluster() as cluster:
        await start(cluster)
        changed = {"data": {"since": "2020-01-01"}}
        name = "kube-apiserver-legacy-service-account-token-tracking"
        await cluster.client.patch(CONFIG_MAPS, name, changed, "kube-system")
        await start(cluster)
        assert (await cluster.client.get(CONFIG_MAPS, name, "kube-system"))["data"] == changed["data"]
