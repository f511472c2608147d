"""How fast the API server is over TLS with its client on the same machine: creates, gets, lists, watch fan-out, memory.

    python bench/apiserver.py [--seconds 3] [--clients 16] [--only creates,gets,list,watch,memory,start]

The server runs in a process of its own on a durable store in a temporary directory; this process is the client. Each
line is one figure; CPU figures are the server's own (user and system), from its process times.
"""

import argparse
import asyncio
import datetime as dt
import multiprocessing
import os
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import orjson

CLAIM: dict[str, Any] = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "", "namespace": "default", "labels": {"app": "bench"}},
    "spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}]}},
}
CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
WATCHERS, EVENTS = 200, 300
LISTED = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--only", default="start,creates,gets,list,watch,memory")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    if "start" in wanted:
        measure_start()
    with tempfile.TemporaryDirectory() as directory:
        parent, child = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(directory, child))
        server.start()
        port = parent.recv()
        try:
            asyncio.run(measure(port, directory, parent, wanted, arguments))
        finally:
            parent.send("stop")
            server.join()


def measure_start() -> None:
    """From the interpreter's start to a server that listens, imports included."""
    program = (
        "import asyncio\n"
        "from dray.apiserver.server import ApiServer\n"
        "from dray.apiserver.registry.catalog import catalog\n"
        "async def main():\n"
        "    server = ApiServer.in_memory(catalog())\n"
        "    await server.start()\n"
        "    await server.stop()\n"
        "asyncio.run(main())\n"
    )
    best = min(_timed([sys.executable, "-c", program]) for _ in range(3))
    bare = min(_timed([sys.executable, "-c", "pass"]) for _ in range(3))
    print(f"start: import and listen {best - bare:.3f} s above a bare interpreter")


def _timed(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begin


# --- the server's process


def serve(directory: str, pipe: Connection) -> None:
    try:
        import uvloop

        uvloop.run(_serve(directory, pipe))
    except ImportError:
        asyncio.run(_serve(directory, pipe))


async def _serve(directory: str, pipe: Connection) -> None:
    from dray.api.resources import NAMESPACES
    from dray.apiserver.local import LocalClient
    from dray.apiserver.registry.catalog import catalog
    from dray.apiserver.server import ApiServer
    from dray.store.sqlite import SqliteStore

    store = SqliteStore.open(Path(directory) / "data")
    server = ApiServer(store, catalog())
    await server.start(ssl_context=server_context(Path(directory)))
    await LocalClient(server.core).create(NAMESPACES, {"metadata": {"name": "default"}})
    pipe.send(server.port)
    loop = asyncio.get_running_loop()
    while (question := await loop.run_in_executor(None, pipe.recv)) != "stop":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((usage.ru_utime + usage.ru_stime, resident_bytes()) if question == "usage" else None)
    await server.stop()
    await store.close()


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def server_context(directory: Path) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    )
    pem = directory / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


# --- the client


class Server:
    def __init__(self, session: aiohttp.ClientSession, url: str, pipe: Connection) -> None:
        self.session = session
        self.url = url
        self._pipe = pipe

    def usage(self) -> tuple[float, int]:
        """CPU seconds so far, and resident bytes."""
        self._pipe.send("usage")
        usage: tuple[float, int] = self._pipe.recv()
        return usage

    async def create(self, name: str) -> None:
        body = orjson.dumps({**CLAIM, "metadata": {**CLAIM["metadata"], "name": name}})
        headers = {"Content-Type": "application/json"}
        async with self.session.post(self.url + CLAIMS, data=body, headers=headers) as response:
            await response.read()
            assert response.status == 201, await response.text()

    async def get(self, name: str) -> None:
        async with self.session.get(f"{self.url}{CLAIMS}/{name}") as response:
            await response.read()
            assert response.status == 200


async def measure(
    port: int, directory: str, pipe: Connection, wanted: list[str], arguments: argparse.Namespace
) -> None:
    context = ssl.create_default_context(cafile=f"{directory}/server.pem")
    context.check_hostname = False
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        server = Server(session, f"https://127.0.0.1:{port}", pipe)
        await server.create("first")
        if "creates" in wanted:
            names = iter(range(10**9))
            await rate("creates", server, arguments, lambda: server.create(f"c{next(names)}"))
        if "gets" in wanted:
            await rate("gets", server, arguments, lambda: server.get("first"))
        if "list" in wanted or "memory" in wanted:
            await measure_list(server)
        if "watch" in wanted:
            await measure_watch(server)


async def rate(
    what: str, server: Server, arguments: argparse.Namespace, one: Callable[[], Awaitable[None]]
) -> None:
    count = 0
    end = time.perf_counter() + arguments.seconds

    async def client() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await one()
            count += 1

    cpu, _ = server.usage()
    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(arguments.clients)))
    seconds = time.perf_counter() - begin
    spent = server.usage()[0] - cpu
    print(
        f"{what}: {count / seconds:.0f}/s with {arguments.clients} clients, server CPU {spent / count * 1e6:.0f} us each"
    )


async def measure_list(server: Server) -> None:
    before = server.usage()[1]
    padding = "x" * 600  # about 1 KB an object

    async def fill(start: int) -> None:
        for number in range(start, LISTED, 16):
            body = {
                **CLAIM,
                "metadata": {**CLAIM["metadata"], "name": f"l{number}", "annotations": {"p": padding}},
            }
            headers = {"Content-Type": "application/json"}
            data = orjson.dumps(body)
            async with server.session.post(server.url + CLAIMS, data=data, headers=headers) as response:
                await response.read()

    await asyncio.gather(*(fill(start) for start in range(16)))
    grown = server.usage()[1] - before
    begin = time.perf_counter()
    async with server.session.get(server.url + CLAIMS) as response:
        data = await response.read()
    seconds = time.perf_counter() - begin
    print(f"list: {LISTED}+ claims, {len(data) / 1e6:.1f} MB in {seconds:.3f} s")
    print(f"memory: {grown / LISTED / 1024:.1f} KiB for each stored object of {len(data) // LISTED} bytes")


async def measure_watch(server: Server) -> None:
    path = f"{server.url}/api/v1/namespaces/default/configmaps"
    seen = 0
    all_seen = asyncio.Event()
    opened = 0
    all_open = asyncio.Event()

    async def watcher() -> None:
        nonlocal seen, opened
        query = "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with server.session.get(path + query) as response:
            lines = 0
            async for data in response.content.iter_any():
                if not lines:
                    opened += 1
                    if opened == WATCHERS:
                        all_open.set()
                found = data.count(b"\n")
                lines += found
                seen += found
                if seen >= WATCHERS * (EVENTS + 1):
                    all_seen.set()

    watchers = [asyncio.create_task(watcher()) for _ in range(WATCHERS)]
    await all_open.wait()
    cpu, _ = server.usage()
    begin = time.perf_counter()
    for number in range(EVENTS):
        body = orjson.dumps({"metadata": {"name": f"w{number}"}, "data": {"a": "b" * 500}})
        async with server.session.post(path, data=body, headers={"Content-Type": "application/json"}) as made:
            assert made.status == 201, await made.text()
    await all_seen.wait()
    seconds = time.perf_counter() - begin
    spent = server.usage()[0] - cpu
    deliveries = WATCHERS * EVENTS
    print(
        f"watch: {WATCHERS} watchers x {EVENTS} events in {seconds:.2f} s, "
        f"server CPU {spent / deliveries * 1e6:.1f} us a delivery"
    )
    for task in watchers:
        task.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)


if __name__ == "__main__":
    main()
