"""End to end: how many pods with a claim each a whole cluster binds in a second, and the CPU that takes.

    python bench/throughput.py [--nodes 100 500 5000] [--pods 800] [--clients 8]

A cluster without nodes of its own (`dray up --nodes 0`) gets Node objects with a ResourceSlice of 8 devices each, a class
and a template with selectors. Then pods are created over a few connections as fast as they are answered; the clock runs
from the first request to the last pod seen bound through a watch. Claims from the template, allocation, reservation,
binding, events and durable storage are all in it, TLS too. CPU is the cluster's process alone. Beside it what Kubernetes
1.36.2 (kube-apiserver, etcd, kube-controller-manager, kube-scheduler, client limits lifted) took for the same load on a like
machine. Afterwards every claim must have a device of its pod's node, and none may be given out twice.
"""

import argparse
import asyncio
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from dray.api.meta import Object
from dray.api.resources import (
    DEVICE_CLASSES,
    NAMESPACES,
    NODES,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    SERVICE_ACCOUNTS,
)
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.client.protocol import Selection
from support.load import SELECTOR, device_class, node, resource_slice

DRAY = [sys.executable, "-m", "dray.cli.main"]
NAMESPACE = "load"
DEVICES = 8
KUBERNETES = {100: (58.2, 29.7), 500: (33.5, 52.9)}
"""Pods per second and CPU milliseconds per pod, medians of the quiet runs, by number of nodes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 500, 5000])
    parser.add_argument("--pods", type=int, default=800)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    print(
        f"{'nodes':>6}{'pods':>6}{'pods/s':>9}{'Kubernetes':>12}{'x':>6}{'CPU ms/pod':>12}{'Kubernetes':>12}{'x':>6}{'MB':>6}"
    )
    for nodes in arguments.nodes:
        run(nodes, min(arguments.pods, nodes * DEVICES), arguments.clients)


def run(nodes: int, pods: int, clients: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = pathlib.Path(directory)
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "TMPDIR": directory}
        if path := os.environ.get("PYTHONPATH"):
            environment["PYTHONPATH"] = path
        kubeconfig = home / "cluster" / "kubeconfig"
        command = [*DRAY, "up", "--nodes", "0", "--data-dir", str(home / "cluster")]
        cluster = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not kubeconfig.exists():
                time.sleep(0.05)
            seconds, cpu = asyncio.run(load(str(kubeconfig), cluster.pid, nodes, pods, clients))
            show(nodes, pods, pods / seconds, cpu / pods * 1e3, resident_bytes(cluster.pid) / 1e6)
        finally:
            cluster.terminate()
            cluster.wait()


def show(nodes: int, pods: int, rate: float, cpu_ms: float, megabytes: float) -> None:
    theirs = KUBERNETES.get(nodes)
    if theirs:
        beside = f"{theirs[0]:12.1f}{rate / theirs[0]:6.1f}", f"{theirs[1]:12.1f}{theirs[1] / cpu_ms:6.1f}"
    else:
        beside = (f"{'-':>12}{'-':>6}",) * 2
    print(f"{nodes:6}{pods:6}{rate:9.1f}{beside[0]}{cpu_ms:12.2f}{beside[1]}{megabytes:6.0f}", flush=True)


async def load(kubeconfig: str, pid: int, nodes: int, pods: int, clients: int) -> tuple[float, float]:
    """Seconds until all pods were bound, and the CPU seconds the cluster took for it."""
    async with HttpClient(load_config(kubeconfig), user_agent="bench") as client:
        await prepare(client, nodes)
        bound = asyncio.create_task(wait_bound(client, pods))
        await asyncio.sleep(1.0)  # the informers take the nodes in
        cpu, begin = cpu_seconds(pid), time.perf_counter()
        await each(clients, [client.create(PODS, pod(number), NAMESPACE) for number in range(pods)])
        await bound
        seconds, used = time.perf_counter() - begin, cpu_seconds(pid) - cpu
        await check(client, pods)
        return seconds, used


async def prepare(client: HttpClient, nodes: int) -> None:
    meta = {"name": NAMESPACE}
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    await client.create(DEVICE_CLASSES, device_class())
    await client.create(RESOURCE_CLAIM_TEMPLATES, template(), NAMESPACE)
    await each(16, [add_node(client, number) for number in range(nodes)])
    async with client.watch(SERVICE_ACCOUNTS, Selection(namespace=NAMESPACE), resource_version="0") as events:
        await anext(events)  # the default one: pods are refused before it is there


async def add_node(client: HttpClient, number: int) -> None:
    made = node(number)
    created = await client.create(NODES, {**made, "status": {}})
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    status = {**made["status"], "capacity": made["status"]["allocatable"], "conditions": conditions}
    await client.patch(NODES, created["metadata"]["name"], {"status": status}, subresource="status")
    await client.patch(NODES, created["metadata"]["name"], {"spec": {"taints": None}})
    await client.create(RESOURCE_SLICES, resource_slice(number, DEVICES))


def template() -> Object:
    selectors = [{"cel": {"expression": SELECTOR}}]
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu", "selectors": selectors}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "gpu"},
        "spec": {"spec": {"devices": {"requests": [request]}}},
    }


def pod(number: int) -> Object:
    container = {"name": "main", "image": "busybox", "resources": {"claims": [{"name": "gpu"}]}}
    claims = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
    meta = {"name": f"pod-{number}"}
    spec = {"containers": [container], "resourceClaims": claims}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def each(clients: int, work: list) -> None:  # type: ignore[type-arg]
    """Do all of `work`, so many pieces at once."""
    left = iter(work)

    async def worker() -> None:
        for piece in left:
            await piece

    await asyncio.gather(*(worker() for _ in range(clients)))


async def wait_bound(client: HttpClient, pods: int) -> None:
    bound: set[str] = set()
    async with client.watch(PODS, Selection(namespace=NAMESPACE), resource_version="0") as events:
        async for event in events:
            if (event.object.get("spec") or {}).get("nodeName"):
                bound.add(event.object["metadata"]["name"])
            if len(bound) == pods:
                return


async def check(client: HttpClient, pods: int) -> None:
    where = {
        item["metadata"]["name"]: item["spec"]["nodeName"]
        for item in (await client.list(PODS, Selection(namespace=NAMESPACE))).items
    }
    held = set()
    for claim in (await client.list(RESOURCE_CLAIMS, Selection(namespace=NAMESPACE))).items:
        (result,) = claim["status"]["allocation"]["devices"]["results"]
        (consumer,) = claim["status"]["reservedFor"]
        if result["pool"] != where[consumer["name"]]:
            raise SystemExit(f"{claim['metadata']['name']} has a device of another node than its pod's")
        held.add((result["pool"], result["device"]))
    if len(held) != pods:
        raise SystemExit(f"{pods} pods hold {len(held)} different devices")


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
