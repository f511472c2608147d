"""How fast pods with claims get nodes and devices, in one process and without an API server's cost.

    python bench/scheduler.py                  100, 500, 1000 and 5000 nodes of 8 devices, 800 pods each
    python bench/scheduler.py --nodes 500 --pods 2000 --full 0.9 --profile

The API is a stub that stores objects and tells watches; what is measured is the scheduler with its informers. Claims
exist already, as made from one template. `--full` fills that share of the devices beforehand. Prints pods per second and
CPU milliseconds per pod; the reference (Kubernetes 1.36.2 on a like machine, scheduler process only) is 8.3 ms at 100
and 21 ms at 500 nodes, and 30 to 53 ms with its API server, etcd and controllers.
"""

import argparse
import asyncio
import cProfile
import pstats
import resource
import time

from dray.api.meta import Object
from dray.api.resources import PODS, Resource
from dray.kits.clock import SystemClock
from dray.scheduler import Scheduler
from dray.testing.memory_client import MemoryClient
from support.load import DRIVER, SELECTOR, device_class, node, resource_slice


def pod_and_claim(number: int) -> tuple[Object, Object]:
    name = f"pod-{number}"
    exactly = {
        "deviceClassName": "gpu",
        "allocationMode": "ExactCount",
        "count": 1,
        "selectors": [{"cel": {"expression": SELECTOR}}],
    }
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True}
    claim: Object = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": f"{name}-gpu", "namespace": "load", "ownerReferences": [owner]},
        "spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}},
        "status": {},
    }
    spec = {
        "schedulerName": "default-scheduler",
        "priority": 0,
        "containers": [{"name": "main", "image": "busybox", "resources": {"claims": [{"name": "gpu"}]}}],
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{state}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for state in ("not-ready", "unreachable")
        ],
    }
    status = {
        "phase": "Pending",
        "resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": f"{name}-gpu"}],
    }
    meta = {"name": name, "namespace": "load", "uid": name, "labels": {"app": "load"}}
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}
    return pod, claim


def filled(nodes: int, devices: int, share: float) -> list[Object]:
    """Claims that hold the given share of all devices, spread evenly."""
    claims = []
    for number in range(int(nodes * devices * share)):
        _, claim = pod_and_claim(1_000_000 + number)
        where = f"node-{number % nodes}"
        result = {"request": "gpu", "driver": DRIVER, "pool": where, "device": f"gpu-{number // nodes}"}
        claim["metadata"]["ownerReferences"] = []
        consumer = {"resource": "pods", "name": "other", "uid": "other"}
        claim["status"] = {"allocation": {"devices": {"results": [result]}}, "reservedFor": [consumer]}
        claims.append(claim)
    return claims


class StubClient(MemoryClient):
    """Keeps no more than it must: no copies, so that what is measured is the scheduler."""


async def measure(nodes: int, devices: int, pods: int, full: float, profile: bool) -> None:
    objects = [device_class(), *map(node, range(nodes)), *(resource_slice(n, devices) for n in range(nodes))]
    client = MemoryClient(*objects, *filled(nodes, devices, full))
    bound = 0
    done = asyncio.Event()

    def count(verb: str, kind: Resource, subresource: str, obj: Object) -> None:
        nonlocal bound
        if subresource == "binding":
            bound += 1
            if bound == pods:
                done.set()

    client.reactions.append(count)
    scheduler = Scheduler(client, clock=SystemClock())
    task = asyncio.create_task(scheduler.run())
    await scheduler.ready.wait()
    for number in range(pods):
        pod, claim = pod_and_claim(number)
        client.put(claim)
        client.put(pod)
    profiler = cProfile.Profile() if profile else None
    if profiler is not None:
        profiler.enable()
    started, cpu = time.perf_counter(), _cpu()
    await asyncio.wait_for(done.wait(), 600)
    seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    if profiler is not None:
        profiler.disable()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len([pod for pod in client.all(PODS) if pod["spec"].get("nodeName")]) == pods
    print(
        f"{nodes:>6} nodes {full:>4.0%} full {pods:>6} pods {pods / seconds:>8.0f} pods/s {cpu / pods * 1000:>7.3f} CPU ms/pod"
    )
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="*", default=[100, 500, 1000, 5000])
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--pods", type=int, default=800)
    parser.add_argument("--full", type=float, default=0.0)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    for nodes in arguments.nodes:
        asyncio.run(measure(nodes, arguments.devices, arguments.pods, arguments.full, arguments.profile))


if __name__ == "__main__":
    main()
