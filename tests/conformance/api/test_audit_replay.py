"""The audit log has of every recorded request the events that kube-apiserver 1.36.2 wrote, under two policies."""

import asyncio
import gzip
import json
import pathlib
import re
from typing import Any

import aiohttp
import pytest
from yarl import URL

from dray.apiserver.audit.events import Auditor
from dray.apiserver.audit.log import AuditLog
from dray.apiserver.audit.policy_file import read_policy
from dray.apiserver.registry.kind import User
from dray.kits.clock import SystemClock
from dray.testing.scenario_server import scenario_server

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "api" / "audit.json.gz"
IDENTITIES = {
    "admin": User("admin", ("system:masters",), "u-admin"),
    "alice": User("alice", ("devs", "ops"), "u-alice"),
    "bob": User("bob", (), "u-bob"),
    "imp": User("imp", ("impers",), "u-imp"),
    "cons": User("cons", (), "u-cons"),
}
_NOT_JSON = "1.36.2 loses the event of a patch that is no JSON, applied YAML included"
_REVIEW = "reviews record no managedFields here"
KNOWN = {
    "apply": _NOT_JSON,
    "apply-new": _NOT_JSON,
    "patch-broken": _NOT_JSON,
    "token": _REVIEW,
    "token-review": _REVIEW,
    "access": _REVIEW,
    "bad-token-url": "a token in a URL is not written here",
    "as-masters": "of two forms of impersonation that both allow it, the classic one is named here",
}
"""Requests that disagree, and why."""


class Recording:
    def __init__(self) -> None:
        content = json.loads(gzip.decompress(CORPUS.read_bytes()))
        self.requests: list[dict[str, Any]] = content["requests"]
        self.policies: dict[str, str] = content["policies"]
        self.events: dict[str, dict[str, list[Any]]] = content["events"]


async def replayed(requests: list[dict[str, Any]], policy: str, path: pathlib.Path) -> dict[str, list[Any]]:
    clock = SystemClock()
    log = AuditLog(path, clock)
    auditor = Auditor(log, clock, read_policy(policy.encode()))
    async with (
        scenario_server(identities=IDENTITIES, audit=auditor) as (url, tokens),
        aiohttp.ClientSession() as session,
    ):
        watches = []
        for request in requests:
            sending = sent(session, url, request, tokens)
            if "timeoutSeconds" in request["path"]:
                watches.append(asyncio.create_task(sending))
            else:
                await sending
        await asyncio.gather(*watches)
    log.close()
    return events_of(path)


def events_of(path: pathlib.Path) -> dict[str, list[Any]]:
    """By the ids of their requests."""
    found: dict[str, list[Any]] = {}
    for line in path.read_text().splitlines():
        event = normal(json.loads(line))
        found.setdefault(event["auditID"], []).append(event)
    return found


async def sent(
    session: aiohttp.ClientSession, url: str, request: dict[str, Any], tokens: dict[str, str]
) -> None:
    headers = {"Audit-ID": request["id"], "User-Agent": "test", "Accept": "application/json"}
    if request["user"]:
        headers["Authorization"] = f"Bearer {tokens[request['user']]}"
    if "type" in request:
        headers["Content-Type"] = request["type"]
    body = request.get("body", "").replace("alicetoken", tokens["alice"])
    target = URL(f"{url}{request['path']}", encoded=True)
    headers |= request.get("headers", {})
    async with session.request(
        request["method"], target, data=body.encode() or None, headers=headers
    ) as answer:
        await answer.read()


_TIMES = ("time", "creationTimestamp", "deletionTimestamp", "expirationTimestamp", "startTime")
_OBJECTS = ("objectRef", "responseStatus", "requestObject", "responseObject")


def normal(event: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from one run to the next, and what tells of the recording's own build."""
    event["requestReceivedTimestamp"] = event["stageTimestamp"] = "T"
    notes = event.get("annotations") or {}
    for key in list(notes):
        if key.startswith(("openshift.io/", "apiserver.k8s.io/startup", "apiserver.latency")):
            del notes[key]
        elif key == "authentication.kubernetes.io/issued-credential-id":
            notes[key] = re.sub("=.*", "=X", notes[key])
    if "annotations" in event and not notes:
        del event["annotations"]
    for key in _OBJECTS:
        if key in event:
            event[key] = _steady(event[key])
    return event


def _steady(value: Any) -> Any:
    if isinstance(value, list):
        return [_steady(item) for item in value]
    if isinstance(value, str):
        text = re.sub(r"gen-[a-z0-9]{5}\b", "gen-X", value)
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, item in value.items():
        if key in _TIMES:
            found[key] = "T"
        elif key in ("resourceVersion", "continue", "token", "tok-alice") and item:
            found[key] = "X"
        elif key == "columnDefinitions":
            found[key] = [{name: column[name] for name in ("name", "type", "format")} for column in item]
        elif key == "cells":
            found[key] = _steady(item[:-1])  # the last is an age
        else:
            found[key] = _steady(item)
    return found


@pytest.mark.parametrize(("policy", "count"), [("bodies", 305), ("rules", 139)])
async def test_every_event_is_as_kubernetes_wrote_it_but_for_the_known_ones(
    policy: str, count: int, tmp_path: pathlib.Path
) -> None:
    recording = Recording()
    wanted = recording.events[policy]
    found = await replayed(recording.requests, recording.policies[policy], tmp_path / "audit.log")
    names = [request["id"] for request in recording.requests]
    differing = {name for name in names if wanted.get(name, []) != found.get(name, [])}
    assert differing - KNOWN.keys() == set()
    if policy == "bodies":
        assert differing == KNOWN.keys()
    assert sum(map(len, found.values())) == count


async def test_fields_come_in_the_order_in_which_kubernetes_writes_them(tmp_path: pathlib.Path) -> None:
    recording = Recording()
    wanted = recording.events["bodies"]
    found = await replayed(recording.requests, recording.policies["bodies"], tmp_path / "audit.log")
    for name in wanted.keys() - KNOWN.keys():
        for theirs, ours in zip(wanted[name], found[name], strict=True):
            assert list(ours) == list(theirs), name
            for part in ("user", "objectRef", "responseStatus"):
                assert list(ours.get(part, ())) == list(theirs.get(part, ())), name


def test_the_recording_tells_of_many_requests() -> None:
    assert len(Recording().requests) == 160
