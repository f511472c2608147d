"""A Job whose pods are a gang keeps its parallelism."""

import pytest

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import JOBS, NAMESPACES, POD_GROUPS
from dray.apiserver.admission.chain import AdmissionChain
from dray.apiserver.admission.pod_groups import GangJobs
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.store.memory import MemoryStore

REFUSAL = (
    'jobs.batch "j" is forbidden: cannot change parallelism for a Job referencing gang-scheduled PodGroup "g"'
)


def job(group: str = "", parallelism: int = 2) -> Object:
    spec: Object = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
    if group:
        spec["schedulingGroup"] = {"podGroupName": group}
    body = {"parallelism": parallelism, "template": {"spec": spec}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": body}


def pod_group(policy: Object, owner: Object | None = None) -> Object:
    meta: Object = {"name": "g"}
    if owner is not None:
        reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": owner["metadata"]["uid"]}
        meta["ownerReferences"] = [{**reference, "controller": True}]
    body = {"schedulingPolicy": policy}
    return {"apiVersion": POD_GROUPS.api_version, "kind": "PodGroup", "metadata": meta, "spec": body}


async def change(policy: Object, *, named: bool = True, owned: bool = False) -> None:
    features = FeatureGates({"GenericWorkload": True})
    core = Core(
        MemoryStore(), catalog(), features=features, admission=AdmissionChain({"jobs": (GangJobs(),)})
    )
    client = LocalClient(core)
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    made = await client.create(JOBS, job("g" if named else ""), "ns")
    await client.create(POD_GROUPS, pod_group(policy, made if owned else None), "ns")
    await client.patch(JOBS, "j", {"spec": {"parallelism": 5}}, "ns")


@pytest.mark.parametrize(("named", "owned"), [(True, False), (False, True)])
async def test_a_gang_that_the_pods_name_or_that_the_job_owns_settles_it(named: bool, owned: bool) -> None:
    with pytest.raises(errors.Forbidden) as refusal:
        await change({"gang": {"minCount": 2}}, named=named, owned=owned)
    assert str(refusal.value) == REFUSAL


@pytest.mark.parametrize(("policy", "named"), [({"basic": {}}, True), ({"gang": {"minCount": 2}}, False)])
async def test_other_groups_do_not(policy: Object, named: bool) -> None:
    await change(policy, named=named)
