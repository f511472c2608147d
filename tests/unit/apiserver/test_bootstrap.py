"""What a server makes sure of at every start, and what it then brings up to date."""

from dray.api.features import parse_feature_gates
from dray.api.meta import Object
from dray.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    SERVICES,
)
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


SCHEDULER = "system:kube-scheduler"


def asked_of(role: Object) -> set[str]:
    return {resource for rule in role["rules"] for resource in rule.get("resources") or ()}


async def test_roles_get_what_a_gate_that_is_turned_on_later_lets_their_holders_do() -> None:
    async with new_cluster() as cluster:
        await start(cluster)
        before = await cluster.client.get(CLUSTER_ROLES, SCHEDULER)
        assert "devicetaintrules" not in asked_of(before)
        cluster.server.core.features = parse_feature_gates("DRADeviceTaintRules=true")
        await start(cluster)
        role = await cluster.client.get(CLUSTER_ROLES, SCHEDULER)
        assert "devicetaintrules" in asked_of(role)
        assert role["rules"][: len(before["rules"])] == before["rules"]


async def test_start_without_anything_new_writes_nothing() -> None:
    async with new_cluster() as cluster:
        await start(cluster, "192.0.2.1")
        revision = cluster.server.core.store.revision
        await start(cluster, "192.0.2.1")
        assert cluster.server.core.store.revision == revision


async def test_roles_that_an_administrator_keeps_or_widened_stay_as_they_are() -> None:
    async with new_cluster() as cluster:
        await start(cluster)
        extra = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
        kept = {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}
        await cluster.client.patch(CLUSTER_ROLES, SCHEDULER, {"metadata": kept, "rules": [extra]})
        await cluster.client.patch(CLUSTER_ROLES, "system:node", {"rules": [extra]})
        await cluster.client.patch(CLUSTER_ROLE_BINDINGS, SCHEDULER, {"subjects": []})
        await start(cluster)
        assert (await cluster.client.get(CLUSTER_ROLES, SCHEDULER))["rules"] == [extra]
        widened = (await cluster.client.get(CLUSTER_ROLES, "system:node"))["rules"]
        assert widened[0] == extra
        assert len(widened) > 1
        binding = await cluster.client.get(CLUSTER_ROLE_BINDINGS, SCHEDULER)
        assert [subject["name"] for subject in binding["subjects"]] == [SCHEDULER]
