"""What the audit log has of a request at each of its stages, and what only under a policy that asks for it."""

import asyncio
import contextlib
import json
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from dray.apiserver.access import ADMIN, ALLOWED, Attributes, Decision, unauthorized
from dray.apiserver.audit.answers import checked
from dray.apiserver.audit.events import Auditor, source_addresses
from dray.apiserver.audit.log import AuditLog
from dray.apiserver.audit.policy import OWN, PATCH_NOTES, Policy
from dray.apiserver.audit.policy_file import read_policy
from dray.apiserver.core import AdmissionRequest, AdmitEverything
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import User
from dray.apiserver.server import ApiServer
from dray.kits.clock import SystemClock
from dray.store.memory import MemoryStore

MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
WHOLE = "level: RequestResponse"
METADATA = "level: Metadata"
Event = dict[str, Any]


def policy(*rules: str) -> Policy:
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
    return read_policy((text + "".join(f"- {{{rule}}}\n" for rule in rules)).encode())


class Audited:
    def __init__(self, path: pathlib.Path, server: ApiServer, session: aiohttp.ClientSession) -> None:
        self._path = path
        self.server = server
        self.session = session

    async def ask(self, method: str, target: str, body: Any = None, **headers: str) -> int:
        url = f"http://{self.server.address}{target}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, json=body, headers=named) as answer:
            await answer.read()
            return answer.status

    @property
    def text(self) -> str:
        return self._path.read_text()

    def events(self, of: str = "") -> list[Event]:
        """Those of one id, in order."""
        events = [json.loads(line) for line in self.text.splitlines()]
        return [event for event in events if not of or event["auditID"] == of]


@contextlib.asynccontextmanager
async def audited(path: pathlib.Path, told: Policy, **settings: Any) -> AsyncIterator[Audited]:
    clock = SystemClock()
    log = AuditLog(path / "audit.log", clock)
    server = ApiServer(MemoryStore(), catalog(), audit=Auditor(log, clock, told), **settings)
    await server.start()
    async with aiohttp.ClientSession() as session:
        found = Audited(path / "audit.log", server, session)
        await found.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}}, Audit_ID="setup")
        yield found
    await server.stop()
    log.close()


class Nobody:
    async def authenticate(self, request: Any) -> User:
        raise unauthorized()


class Broken:
    def authorize(self, attributes: Attributes) -> Decision:
        if attributes.resource == "secrets":
            raise KeyError("hunter2")
        return ALLOWED


class Waiting(AdmitEverything):
    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def mutate(self, request: AdmissionRequest) -> None:
        if request.name == "slow":
            self.reached.set()
            await asyncio.Event().wait()


class Patching(AdmitEverything):
    async def mutate(self, request: AdmissionRequest) -> None:
        request.call.annotations[f"{PATCH_NOTES}round_0_index_0"] = "hunter2"


@pytest.mark.parametrize(
    ("told", "shown"), [(OWN, 0), (policy(METADATA), 0), (policy("level: Request"), 1), (policy(WHOLE), 1)]
)
async def test_patches_of_webhooks_are_told_as_bodies_are(
    told: Policy, shown: int, tmp_path: pathlib.Path
) -> None:
    async with audited(tmp_path, told, admission=Patching()) as server:
        await server.ask("POST", MAPS, {"metadata": {"name": "m"}}, Audit_ID="a")
        assert str(server.events("a")).count("hunter2") == shown


async def test_a_request_is_told_when_it_comes_and_when_it_is_answered(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(METADATA)) as server:
        await server.ask("POST", MAPS, {"metadata": {"name": "m"}}, Audit_ID="a")
        received, complete = server.events("a")
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert received["stageTimestamp"] == received["requestReceivedTimestamp"]
    assert "responseStatus" not in received
    assert "name" not in received["objectRef"]
    assert complete["objectRef"]["name"] == "m"
    assert complete["responseStatus"] == {"metadata": {}, "code": 201}
    assert "requestObject" not in complete


async def test_who_sent_it_is_told_before_as_whom(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(METADATA)) as server:
        await server.ask("GET", MAPS, Audit_ID="a", Impersonate_User="jane")
        received, complete = server.events("a")
    assert "impersonatedUser" not in received
    assert received["user"] == complete["user"] == {"username": ADMIN.name, "groups": list(ADMIN.groups)}
    assert complete["impersonatedUser"] == {"username": "jane", "groups": ["system:authenticated"]}


@pytest.mark.parametrize(("rule", "shown"), [(METADATA, 0), ("level: Request", 1), (WHOLE, 2)])
async def test_bodies_are_told_as_far_as_the_policy_asks(
    rule: str, shown: int, tmp_path: pathlib.Path
) -> None:
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}
    async with audited(tmp_path, policy(rule)) as server:
        await server.ask("POST", SECRETS, secret, Audit_ID="a")
        text = server.text
    assert text.count("aHVudGVyMg==") == shown
    assert "hunter2" not in text


@pytest.mark.parametrize("told", [OWN, policy(METADATA), policy(WHOLE)])
async def test_headers_and_tokens_in_urls_are_never_told(told: Policy, tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, told) as server:
        await server.ask("GET", f"{MAPS}?access_token=very-secret", Authorization="Bearer very-secret")
        assert "very-secret" not in server.text


async def test_without_a_policy_no_text_is_told_that_a_body_had_a_part_in(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, OWN) as server:
        await server.ask("POST", SECRETS, {"metadata": {"name": "Hunter2"}}, Audit_ID="a")
        (event,) = server.events("a")
    assert event["responseStatus"] == {"metadata": {}, "code": 422}


async def test_of_a_sender_who_is_not_known_only_the_refusal_is_told(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(METADATA), authenticator=Nobody()) as server:
        await server.ask("GET", MAPS, Audit_ID="a")
        (event,) = server.events("a")
    assert event["stage"] == "ResponseStarted"
    assert event["user"] == {}
    assert event["responseStatus"]["message"] == "Unauthorized"
    assert "annotations" not in event


async def test_without_a_policy_that_is_a_line_like_any_other(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, OWN, authenticator=Nobody()) as server:
        await server.ask("GET", MAPS, Audit_ID="a")
        (event,) = server.events("a")
    assert (event["stage"], event["responseStatus"]["code"]) == ("ResponseComplete", 401)


async def test_an_error_of_the_server_is_a_panic_whose_text_is_not_told(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(WHOLE), authorizer=Broken()) as server:
        assert await server.ask("GET", SECRETS, Audit_ID="a") == 500
        _, event = server.events("a")
    assert event["stage"] == "Panic"
    assert event["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": "APIServer panic'd: KeyError",
        "reason": "InternalError",
        "code": 500,
    }


async def test_a_client_that_does_not_wait_is_told_of(tmp_path: pathlib.Path) -> None:
    admission = Waiting()
    async with audited(tmp_path, policy(METADATA), admission=admission) as server:
        asking = asyncio.create_task(server.ask("POST", MAPS, {"metadata": {"name": "slow"}}, Audit_ID="a"))
        await admission.reached.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await server.server.stop()
        event = server.events("a")[-1]
    assert event["stage"] == "ResponseComplete"
    assert event["responseStatus"]["message"] == "Connection closed early"


async def test_a_watch_is_told_when_it_starts_and_when_it_ends(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(WHOLE)) as server:
        url = f"http://{server.server.address}{MAPS}?watch=1"
        async with server.session.get(url, headers={"Audit-ID": "a"}):
            begun = [event["stage"] for event in server.events("a")]
        await server.server.stop()
        ended = server.events("a")[-1]
    assert begun == ["RequestReceived", "ResponseStarted"]
    assert ended["stage"] == "ResponseComplete"
    assert ended["responseStatus"] == {"metadata": {}, "code": 200}
    assert "responseObject" not in ended


async def test_a_connection_that_is_handed_on_is_told_as_switched(tmp_path: pathlib.Path) -> None:
    async def kubelet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
        writer.close()

    node = await asyncio.start_server(kubelet, "127.0.0.1", 0)
    port = node.sockets[0].getsockname()[1]
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    spec = {"nodeName": "n", "containers": [{"name": "main", "image": "i"}]}
    async with audited(tmp_path, policy(METADATA)) as server:
        await server.ask("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, "status": status})
        await server.ask("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})
        host, _, own = server.server.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(own))
        target = "/api/v1/namespaces/default/pods/p/exec?command=ls"
        writer.write(
            f"POST {target} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            "Audit-ID: a\r\n\r\n".encode()
        )
        await reader.read()
        writer.close()
        await server.server.stop()
        told = [(event["stage"], event.get("responseStatus", {}).get("code")) for event in server.events("a")]
    node.close()
    assert told == [("RequestReceived", None), ("ResponseStarted", 101), ("ResponseComplete", 101)]


async def test_headers_that_are_no_text_are_told_with_marks_and_answered(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(METADATA)) as server:
        host, _, port = server.server.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"GET {MAPS} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAudit-ID: a\r\nUser-Agent: ".encode()
        writer.write(head + b"x\xff\r\n\r\n")
        answer = await reader.read()
        writer.close()
        received, complete = server.events("a")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert received["userAgent"] == complete["userAgent"] == "x\ufffd"


def test_what_another_server_says_is_told_only_if_it_is_json() -> None:
    assert checked(b'{"kind":"Status","apiVersion":"v1"\n,"code":400}') is not None
    assert checked(b'{"kind":"Status","apiVersion":"v1"}\n{"forged":true}') is None


async def test_what_a_person_reads_is_told_on_one_line(tmp_path: pathlib.Path) -> None:
    async with audited(tmp_path, policy(WHOLE)) as server:
        await server.ask("GET", f"{MAPS}/absent?pretty=true", Audit_ID="a")
        event = server.events("a")[-1]
    assert event["responseStatus"]["reason"] == "NotFound"
    assert event["responseObject"]["kind"] == "Status"


async def test_an_answer_that_was_compressed_is_told_in_full(tmp_path: pathlib.Path) -> None:
    body = {"metadata": {"name": "large"}, "data": {"a": "x" * 200_000}}
    async with audited(tmp_path, policy(WHOLE)) as server:
        await server.ask("POST", MAPS, body)
        await server.ask("GET", f"{MAPS}/large", Audit_ID="a", Accept_Encoding="gzip")
        event = server.events("a")[-1]
    assert event["responseObject"]["data"] == body["data"]


@pytest.mark.parametrize(
    ("headers", "remote", "addresses"),
    [
        ({}, "127.0.0.1", ["127.0.0.1"]),
        ({"X-Forwarded-For": "10.0.0.1, 10.0.0.2"}, "127.0.0.1", ["10.0.0.1", "10.0.0.2", "127.0.0.1"]),
        ({"X-Forwarded-For": "10.0.0.1"}, "10.0.0.1", ["10.0.0.1"]),
        ({"X-Forwarded-For": "nonsense"}, "127.0.0.1", ["127.0.0.1"]),
        ({"X-Forwarded-For": "10.0.0.1", "X-Real-Ip": "10.0.0.1"}, "::1", ["10.0.0.1", "::1"]),
        ({"X-Real-Ip": "10.0.0.3"}, "10.0.0.3", ["10.0.0.3"]),
        ({}, "", []),
    ],
)
def test_a_request_comes_from_where_proxies_say_and_last_from_the_connections_end(
    headers: dict[str, str], remote: str, addresses: list[str]
) -> None:
    assert list(source_addresses(headers, remote)) == addresses
