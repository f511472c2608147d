"""How long the questions take on a large cluster, from the API: 1000 nodes of 8 devices.

    python bench/insight.py [--nodes 1000] [--devices 8]

Starts a cluster with no nodes of its own in a process of its own, fills it with Node and ResourceSlice objects, claims
that hold half of the devices and a pod that fits nowhere, and times the commands as a user runs them: a new process each,
imports and requests included. Prints the best and the worst of three runs, in seconds.
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
from dray.api.resources import DEVICE_CLASSES, NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from dray.client.config import load_config
from dray.client.http import HttpClient

DRIVER = "gpu.example.com"
COMMANDS = (
    ("why", "pod/huge"),
    ("devices",),
    ("devices", "--by", "node"),
    ("top",),
    ("doctor",),
    ("whatif",),
)


def manifests(nodes: int, devices: int) -> list[tuple[Resource, Object]]:
    spec = {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]}
    made: list[tuple[Resource, Object]] = [(DEVICE_CLASSES, {"metadata": {"name": "gpu"}, "spec": spec})]
    for i in range(nodes):
        name = f"node-{i}"
        made.append((NODES, {"metadata": {"name": name}, "spec": {}}))
        attributes = {"model": {"string": "H100"}, "uuid": {"string": f"gpu-{i}"}, "numa": {"int": 0}}
        entries = [
            {"name": f"gpu-{d}", "attributes": attributes, "capacity": {"memory": {"value": "80Gi"}}}
            for d in range(devices)
        ]
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        body = {"driver": DRIVER, "nodeName": name, "pool": pool, "devices": entries}
        made.append((RESOURCE_SLICES, {"metadata": {"name": f"{name}-gpus"}, "spec": body}))
    selector = f"device.capacity['{DRIVER}'].memory.compareTo(quantity('100Gi')) >= 0"
    exactly = {"deviceClassName": "gpu", "selectors": [{"cel": {"expression": selector}}]}
    made.append(
        (RESOURCE_CLAIMS, _named("huge", {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}))
    )
    pod = {
        "containers": [{"name": "c", "image": "x"}],
        "resourceClaims": [{"name": "r", "resourceClaimName": "huge"}],
    }
    made.append((PODS, _named("huge", pod)))
    return made


def _named(name: str, spec: Object) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def fill(kubeconfig: pathlib.Path, nodes: int, devices: int) -> None:
    async with HttpClient(load_config(str(kubeconfig))) as client:
        gate = asyncio.Semaphore(32)

        async def create(resource: Resource, obj: Object) -> None:
            async with gate:
                body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
                await client.create(resource, body, obj["metadata"].get("namespace", ""))

        await asyncio.gather(*(create(resource, obj) for resource, obj in manifests(nodes, devices)))
        await asyncio.gather(*(hold(client, gate, i, devices) for i in range(nodes)))


async def hold(client: HttpClient, gate: asyncio.Semaphore, number: int, devices: int) -> None:
    """A claim that has half of a node's devices."""
    async with gate:
        exactly = {"deviceClassName": "gpu", "count": devices // 2}
        obj = _named(f"held-{number}", {"devices": {"requests": [{"name": "r", "exactly": exactly}]}})
        body = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", **obj}
        claim = await client.create(RESOURCE_CLAIMS, body, "default")
        results = [
            {"request": "r", "driver": DRIVER, "pool": f"node-{number}", "device": f"gpu-{d}"}
            for d in range(devices // 2)
        ]
        allocated = {**claim, "status": {"allocation": {"devices": {"results": results}}}}
        await client.update(RESOURCE_CLAIMS, allocated, subresource="status")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--devices", type=int, default=8)
    given = parser.parse_args()
    dray = [sys.executable, "-m", "dray.cli.main"]
    with tempfile.TemporaryDirectory() as root:
        kubeconfig = pathlib.Path(root) / "kubeconfig"
        env = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": root}
        up = [
            "up",
            "--name",
            "bench-insight",
            "--nodes",
            "0",
            "--data-dir",
            f"{root}/data",
            "--detach",
            "--switch",
        ]
        subprocess.run(
            [*dray, *up, "--kubeconfig", str(kubeconfig)], env=env, check=True, capture_output=True
        )
        try:
            asyncio.run(fill(kubeconfig, given.nodes, given.devices))
            for command in COMMANDS:
                times = []
                for _ in range(3):
                    started = time.perf_counter()
                    subprocess.run(
                        [*dray, *command], env=env, check=command != ("doctor",), capture_output=True
                    )
                    times.append(time.perf_counter() - started)
                print(f"dray {' '.join(command):<18} {min(times):.2f} to {max(times):.2f} s")
        finally:
            down = ["down", "--name", "bench-insight", "--data-dir", f"{root}/data"]
            subprocess.run([*dray, *down], env=env, check=False, capture_output=True)


if __name__ == "__main__":
    main()
