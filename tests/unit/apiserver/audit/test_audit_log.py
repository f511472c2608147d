"""The audit log says who asked what and the answer's code, and holds nothing that must stay secret."""

import json
import pathlib
from typing import Any

import aiohttp

from dray.apiserver.audit.events import Auditor
from dray.apiserver.audit.log import AuditLog
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.kits.clock import SystemClock
from dray.store.memory import MemoryStore

SECRETS = "/api/v1/namespaces/default/secrets"


def events_of(path: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def audited(
    path: pathlib.Path, *requests: tuple[str, str, bytes, dict[str, str]]
) -> list[dict[str, Any]]:
    audit = AuditLog(path, SystemClock())
    server = ApiServer(MemoryStore(), catalog(), audit=Auditor(audit, SystemClock()))
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            for method, target, body, headers in requests:
                async with session.request(
                    method, f"http://{server.address}{target}", data=body, headers=headers
                ) as answer:
                    await answer.read()
    finally:
        await server.stop()
        audit.close()
    return events_of(path)


async def test_each_answer_is_one_line(tmp_path: pathlib.Path) -> None:
    events = await audited(
        tmp_path / "audit.log",
        ("GET", f"{SECRETS}/absent", b"", {"Audit-ID": "mine"}),
        ("GET", "/healthz", b"", {"Impersonate-User": "jane"}),
    )
    found, health = events
    assert found["auditID"] == "mine"
    assert found["verb"] == "get"
    assert found["objectRef"] == {
        "resource": "secrets",
        "namespace": "default",
        "name": "absent",
        "apiVersion": "v1",
    }
    assert found["responseStatus"]["code"] == 404
    assert "objectRef" not in health
    assert health["impersonatedUser"]["username"] == "jane"


async def test_secrets_and_credentials_are_not_in_it(tmp_path: pathlib.Path) -> None:
    body = json.dumps({"metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer very-secret"}
    path = tmp_path / "audit.log"
    await audited(path, ("POST", SECRETS, body, headers))
    assert "hunter2" not in path.read_text()
    assert "very-secret" not in path.read_text()


async def test_only_its_owner_may_read_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    await audited(path)
    assert path.stat().st_mode & 0o077 == 0


async def test_what_looks_like_a_credential_in_a_url_is_left_out(tmp_path: pathlib.Path) -> None:
    (event,) = await audited(
        tmp_path / "audit.log",
        ("GET", f"{SECRETS}?limit=1&access_token=very-secret&password=very-secret&continue=x", b"", {}),
    )
    assert event["requestURI"] == f"{SECRETS}?limit=1&access_token=***&password=***&continue=x"


async def test_a_disk_without_room_costs_lines_and_no_answer() -> None:
    events = await answered_with(pathlib.Path("/dev/full"))
    assert events == [404, 404]


async def answered_with(path: pathlib.Path) -> list[int]:
    audit = AuditLog(path, SystemClock())
    server = ApiServer(MemoryStore(), catalog(), audit=Auditor(audit, SystemClock()))
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            return [(await session.get(f"http://{server.address}{SECRETS}/a")).status for _ in range(2)]
    finally:
        await server.stop()
        audit.close()
