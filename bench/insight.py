"""How long the questions take on a large cluster, from the API: 1000 nodes of 8 devices.

    python bench/insight.py [--nodes 1000] [--devices 8] [--only whatif]

Starts a cluster with no nodes of its own in a process of its own, fills it with Node and ResourceSlice objects, claims
that hold half of the devices for a pod on each node, a deployment and a pod that fits nowhere, and times the commands as a user runs them: a new process each,
imports and requests included. Prints the best and the worst of three runs, in seconds.
"""

import argparse
import asyncio
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from dray.api.meta import Object
from dray.api.resources import (
    DEPLOYMENTS,
    DEVICE_CLASSES,
    NODES,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
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
    ("whatif", "--drain", "node-3"),
    ("whatif", "--taint", DRIVER, "hot:NoExecute"),
    ("whatif", "--scale", "deployment/trainer={many}", "--min-nodes", "--like", "node-0"),
)
"""`{many}`: more pods of two devices than there is room for, by one for every second node."""
EXIT_CODES = {"doctor": (0, 1), "whatif": (0, 3)}
"""Answers that are no failures: something is wrong, something stays pending."""


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
    two = {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu", "count": 2}}]}
    made.append((RESOURCE_CLAIM_TEMPLATES, _named("two", {"spec": {"devices": two}})))
    made.append((DEPLOYMENTS, _named("trainer", _deployment())))
    return made


def _deployment() -> Object:
    """None of its pods run yet. They tolerate what nodes that are only objects are tainted with."""
    spec = {
        "containers": [{"name": "c", "image": "x"}],
        "resourceClaims": [{"name": "r", "resourceClaimTemplateName": "two"}],
        "tolerations": [{"operator": "Exists"}],
    }
    labels = {"app": "trainer"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}


def _named(name: str, spec: Object) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def fill(kubeconfig: pathlib.Path, nodes: int, devices: int) -> None:
    async with HttpClient(load_config(str(kubeconfig))) as client:
        gate = asyncio.Semaphore(32)

        async def create(kind: Resource, obj: Object) -> None:
            async with gate:
                body = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
                await client.create(kind, body, obj["metadata"].get("namespace", ""))

        await asyncio.gather(*(create(kind, obj) for kind, obj in manifests(nodes, devices)))
        await asyncio.gather(*(hold(client, gate, i, devices) for i in range(nodes)))


async def hold(client: HttpClient, gate: asyncio.Semaphore, number: int, devices: int) -> None:
    """A claim that has half of a node's devices, for a pod there."""
    async with gate:
        exactly = {"deviceClassName": "gpu", "count": devices // 2}
        obj = _named(f"held-{number}", {"devices": {"requests": [{"name": "r", "exactly": exactly}]}})
        body = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", **obj}
        claim = await client.create(RESOURCE_CLAIMS, body, "default")
        results = [
            {"request": "r", "driver": DRIVER, "pool": f"node-{number}", "device": f"gpu-{d}"}
            for d in range(devices // 2)
        ]
        spec = {
            "containers": [{"name": "c", "image": "x"}],
            "nodeName": f"node-{number}",
            "resourceClaims": [{"name": "r", "resourceClaimName": f"held-{number}"}],
            "tolerations": [{"operator": "Exists"}],
        }
        body = {"apiVersion": "v1", "kind": "Pod", **_named(f"held-{number}", spec)}
        pod = await client.create(PODS, body, "default")
        user = {"resource": "pods", "name": f"held-{number}", "uid": pod["metadata"]["uid"]}
        status = {"allocation": {"devices": {"results": results}}, "reservedFor": [user]}
        await client.update(RESOURCE_CLAIMS, {**claim, "status": status}, subresource="status")


def measure(dray: list[str], words: list[str], env: dict[str, str]) -> None:
    """Prints seconds on the clock and, since a busy machine stretches those, of the processor."""
    times, work = [], []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run([*dray, *words], env=env, check=False, capture_output=True)
        times.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        if done.returncode not in EXIT_CODES.get(words[0], (0,)):
            raise SystemExit(done.stderr.decode())
    clock = f"{min(times):6.2f} to {max(times):5.2f} s, processor {min(work):5.2f} s"
    print(f"{clock}   dray {' '.join(words)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--only", default="", help="Only this command.")
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
                if given.only not in ("", command[0]):
                    continue
                many = given.nodes * (given.devices // 4) + given.nodes // 2
                measure(dray, [word.format(many=many) for word in command], env)
        finally:
            down = ["down", "--name", "bench-insight", "--data-dir", f"{root}/data"]
            subprocess.run([*dray, *down], env=env, check=False, capture_output=True)


if __name__ == "__main__":
    main()
