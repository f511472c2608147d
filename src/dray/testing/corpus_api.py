"""Replaying recorded API scenarios: the same requests to a server, its answers beside the recorded ones.

A recording has one scenario a line: `id`, `area`, `title`, `setup` (requests whose answers do not count) and `steps`, each
a request with `expect` (`code`, some `headers`, `body`). Placeholders in requests: `<ns>` and `<u>` for a namespace and a
word of the scenario's own, `${stepK.path}` for a value of an earlier answer, `{"$base": ..., "$merge": ...}` for an
earlier object with a merge patch. `raw` stands for `body` where the bytes count; lone surrogates in it are bytes that are no
UTF-8. Scenarios are independent and run concurrently.
"""

import asyncio
import contextlib
import csv
import dataclasses
import gzip
import io
import json
import random
import re
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from dray.api.features import FeatureGates
from dray.api.patch import merge_patch
from dray.testing.corpus_normal import Normalizer, is_openshift, without_lines

CONCURRENCY: Final = 16
RETRY_SECONDS: Final = 5.0
_HEADERS: Final = ("Content-Type", "Warning", "Allow", "Www-Authenticate", "Location", "Retry-After")
_PLACEHOLDER: Final = re.compile(r"\$\{step(\d+)((?:\.[^}.]+)*)\}")
_WATCHES: Final = re.compile(r"[?&]watch=(1|true)")
_LETTERS: Final = "bcdfghjklmnpqrstvwxz"
_SAFE: Final = "/?&=%:,!~()*+$@;'"
_INITIAL_END: Final = "initial-events-end"

Scenario = Mapping[str, Any]
Step = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    step: int
    request: str
    path: str
    recorded: Any
    actual: Any

    def __str__(self) -> str:
        return (
            f"  step {self.step} {self.request}\n    {self.path or '.'}\n"
            f"      recorded {_short(self.recorded)}\n      actual   {_short(self.actual)}"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    id: str
    area: str
    title: str
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        shown = "\n".join(str(difference) for difference in self.differences[:3])
        return f"{self.id} [{self.area}] {self.title}\n{shown}"


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    passed: int
    failed: list[Failure]
    excused: tuple[str, ...] = ()
    """Scenarios that disagree, as was known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    code: int
    headers: Sequence[tuple[str, str]]
    data: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


async def replay(
    file: str | Path,
    *,
    server: str | None = None,
    tokens: str | Path | None = None,
    areas: Container[str] | None = None,
    known: Container[str] = (),
    features: FeatureGates | None = None,
) -> Report:
    """Run every scenario of `file` (those of `areas`) against `server`, or one of our own started with `features`.

    `tokens` names the identities: kube-apiserver's CSV, or JSON alias -> token; needed with `server`. `known`: ids of
    scenarios that may disagree. Raises ValueError without tokens for a server that is not ours.
    """
    scenarios = [case for case in read_scenarios(file) if areas is None or case["area"] in areas]
    if server is None:
        from dray.testing.scenario_server import scenario_server

        async with scenario_server(features) as (url, own_tokens):
            return await _replay_all(scenarios, url, own_tokens, known)
    if tokens is None:
        raise ValueError("--tokens must name the identities that the server knows")
    return await _replay_all(scenarios, server, read_tokens(tokens), known)


def read_scenarios(file: str | Path) -> Iterator[dict[str, Any]]:
    name = str(file)
    with gzip.open(name, "rt") if name.endswith(".gz") else open(name) as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def read_tokens(file: str | Path) -> dict[str, str]:
    """Alias -> token. In a CSV the alias is the token without `tok-`."""
    text = Path(file).read_text()
    if text.lstrip().startswith("{"):
        table: dict[str, str] = json.loads(text)
        return table
    rows = (row for row in csv.reader(text.splitlines()) if row)
    return {row[0].removeprefix("tok-"): row[0] for row in rows}


async def _replay_all(
    scenarios: Iterable[Scenario], url: str, tokens: Mapping[str, str], known: Container[str]
) -> Report:
    limit = asyncio.Semaphore(CONCURRENCY)
    async with _session() as session:

        async def one(scenario: Scenario) -> Failure | None:
            async with limit:
                failure = await ScenarioRun(session, url, tokens, scenario).failure()
                if failure is not None and scenario.get("managedFields"):
                    # Owners stand in the order of the seconds in which they wrote; recorded was all in one second.
                    failure = await ScenarioRun(session, url, tokens, scenario).failure()
                return failure

        outcomes = await asyncio.gather(*(one(scenario) for scenario in scenarios))
    failures = [outcome for outcome in outcomes if outcome is not None]
    failed = [failure for failure in failures if failure.id not in known]
    excused = tuple(failure.id for failure in failures if failure.id in known)
    return Report(len(outcomes) - len(failures), failed, excused)


@contextlib.asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False, limit=0)
    unasked = ["Accept-Encoding", "Content-Type", "User-Agent"]
    async with aiohttp.ClientSession(connector=connector, skip_auto_headers=unasked) as session:
        yield session


class ScenarioRun:
    """One scenario against one server."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, tokens: Mapping[str, str], scenario: Scenario
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._tokens = tokens
        self._scenario = scenario
        self._token = "".join(random.choices(_LETTERS, k=8))
        self._namespace = f"ns-{self._token}"
        self._answers: list[Any] = []
        self._made: list[str] = []
        requests = [*scenario["steps"], *scenario.get("setup", [])]
        sent = json.dumps(
            [[step.get(part) for part in ("path", "body", "raw", "headers")] for step in requests]
        )
        keeps = bool(scenario.get("managedFields"))
        self._normal = Normalizer(self._token, self._namespace, sent, keeps_owners=keeps)

    async def failure(self) -> Failure | None:
        """None when every answer is as recorded."""
        scenario = self._scenario
        try:
            for step in scenario.get("setup", []):
                await self._set_up(step)
            differences: list[Difference] = []
            for number, step in enumerate(scenario["steps"]):
                actual = await self._outcome(step)
                request = f"{step.get('user', 'admin')} {step['method']} {step['path']}"
                differences += [
                    Difference(number, request, *found) for found in compare(_expected(step), actual)
                ]
        finally:
            await self._clean_up()
        if not differences:
            return None
        return Failure(scenario["id"], scenario["area"], scenario["title"], tuple(differences))

    async def _set_up(self, step: Step) -> None:
        answer = Answer(0, (), b"")
        for _ in range(20):
            answer = await self._send(step)
            if answer.code < 300 or answer.code == 409:
                self._remember(step, answer)
                return
            await asyncio.sleep(0.1)
        raise RuntimeError(
            f"{self._scenario['id']}: the setup request {step['method']} {step['path']} was answered "
            f"{answer.code}: {answer.data[:300]!r}"
        )

    async def _outcome(self, step: Step) -> Any:
        await asyncio.sleep(step.get("sleep") or 0)
        try:
            answer = await self._send_until(step)
        except (KeyError, IndexError, TypeError) as error:
            self._answers.append(None)
            return {"code": -1, "headers": {}, "body": {"$error": f"an earlier answer lacks {error}"}}
        self._remember(step, answer)
        raw = _read(step, answer)
        self._answers.append(raw)
        self._normal.notice(raw)
        headers: dict[str, Any] = {}
        for key, value in answer.headers:
            name = next((name for name in _HEADERS if name.lower() == key.lower()), "")
            if name == "Warning":
                headers.setdefault(name, []).append(self._normal.text(value))
            elif name:
                headers[name] = self._normal.text(value)
        return {"code": answer.code, "headers": headers, "body": self._normal.value(_seen(step, raw))}

    async def _send_until(self, step: Step) -> Answer:
        """Some effects of a write arrive late: such steps are tried again until the expected code comes."""
        wanted = step.get("until") or (step["expect"]["code"] if step.get("retry") else None)
        end = asyncio.get_running_loop().time() + RETRY_SECONDS
        while True:
            answer = await self._send(step)
            if not wanted or answer.code == wanted or asyncio.get_running_loop().time() > end:
                return answer
            await asyncio.sleep(0.05)

    async def _send(self, step: Step) -> Answer:
        headers = {"User-Agent": "apio/1.0", "Accept": "application/json"}
        user = step.get("user", "admin")
        if user != "none":
            token = "no-such-token" if user == "bad" else self._tokens[user]
            headers["Authorization"] = f"Bearer {token}"
        headers |= {key: self._filled(value) for key, value in (step.get("headers") or {}).items()}
        body: bytes | None = None
        if "raw" in step:
            body = str(self._filled(step["raw"])).encode("utf-8", "surrogateescape")
        elif step.get("body") is not None:
            body = json.dumps(self._filled(step["body"]), sort_keys=True).encode()
        path = quote(self._filled(step["path"]), safe=_SAFE)
        sent = {key: value for key, value in headers.items() if value}
        return await self._request(step["method"], path, sent, body)

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        url = URL(self._url + path, encoded=True)
        # As a stream, since the client warns of large bodies that are not.
        data = None if body is None else io.BytesIO(body)
        async with self._session.request(method, url, headers=headers, data=data) as response:
            return Answer(response.status, tuple(response.headers.items()), await response.read())

    def _filled(self, value: Any) -> Any:
        """`value` with its placeholders replaced."""
        if isinstance(value, str):
            text = value.replace("<ns>", self._namespace).replace("<u>", self._token)
            whole = _PLACEHOLDER.fullmatch(text)
            if whole:
                return self._earlier(whole)
            return _PLACEHOLDER.sub(lambda found: str(self._earlier(found)), text)
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if isinstance(value, Mapping):
            if "$base" in value:
                return merge_patch(self._filled(value["$base"]), self._filled(value.get("$merge") or {}))
            return {self._filled(key): self._filled(item) for key, item in value.items()}
        return value

    def _earlier(self, found: re.Match[str]) -> Any:
        value = self._answers[int(found[1])]
        for part in filter(None, found[2].split(".")):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    def _remember(self, step: Step, answer: Answer) -> None:
        """Cluster-scoped objects that were made, so that they can be removed."""
        if answer.code != 201 or step["method"] not in ("POST", "PATCH") or "dryRun" in step["path"]:
            return
        path = self._filled(step["path"]).split("?")[0]
        if "/namespaces" in path:
            return
        try:
            meta = json.loads(answer.data).get("metadata") or {}
        except ValueError:
            return
        if meta.get("uid") and meta.get("name") and not meta.get("namespace"):
            self._made.append(path if step["method"] == "PATCH" else f"{path}/{meta['name']}")

    async def _clean_up(self) -> None:
        authorization = {"Authorization": f"Bearer {self._tokens['admin']}"}
        for path in reversed(self._made):
            patch = {**authorization, "Content-Type": "application/merge-patch+json"}
            freed = await self._request("PATCH", path, patch, b'{"metadata":{"finalizers":null}}')
            if freed.code == 200:
                await self._request("DELETE", path, authorization, b'{"gracePeriodSeconds":0}')


def _read(step: Step, answer: Answer) -> Any:
    """The answer's body as it came."""
    text = answer.data.decode("utf-8", "replace")
    try:
        if _WATCHES.search(step["path"]) and answer.code == 200:
            return {"$events": [json.loads(line) for line in text.splitlines() if line.strip()]}
        if "json" in answer.header("Content-Type") and answer.data:
            return json.loads(answer.data)
    except ValueError:
        pass
    return {"$text": text}


def _seen(step: Step, raw: Any) -> Any:
    """The part of a body that a step compares."""
    if isinstance(raw, Mapping) and "$events" in raw:
        raw = {"$events": [_bookmark(event) for event in raw["$events"] if _counts(event)]}
    if step.get("ignoreBody"):
        return None
    if step.get("shape"):
        return _shape(raw)
    if step.get("grep") is not None:
        lines = raw.get("$text", "").splitlines()
        return {"$lines": [line for line in lines if any(part in line for part in step["grep"])]}
    if project := step.get("project"):
        wanted = project["in"]
        chosen = [item for item in _at(raw, project["path"]) or [] if _at(item, project["key"]) in wanted]
        return {"$selected": sorted(chosen, key=lambda item: wanted.index(_at(item, project["key"])))}
    return raw


def _counts(event: Mapping[str, Any]) -> bool:
    """Bookmarks come at any time; only the one that ends the initial events is due."""
    return event.get("type") != "BOOKMARK" or _INITIAL_END in json.dumps(event)


def _bookmark(event: Mapping[str, Any]) -> Mapping[str, Any]:
    if event.get("type") != "BOOKMARK":
        return event
    obj = dict(event["object"])
    obj["metadata"] = {**(obj.get("metadata") or {}), "resourceVersion": "<listrv>"}
    if obj.get("rows"):
        obj["rows"] = [{**row, "object": _with_version(row["object"], "<listrv>")} for row in obj["rows"]]
    return {**event, "object": obj}


def _with_version(obj: Mapping[str, Any], version: str) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}


def _shape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shape(item) for key, item in value.items()}
    names = {str: "string", bool: "bool", int: "int", float: "float", list: "list", type(None): "null"}
    return names[type(value)]


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _expected(step: Step) -> Any:
    """The recorded outcome, without what `corpus_normal` leaves out of answers as well."""
    expect = step["expect"]
    return {"code": expect["code"], "headers": expect["headers"], "body": _stripped(expect["body"])}


def _stripped(value: Any) -> Any:
    if isinstance(value, list):
        return [_stripped(item) for item in value if not is_openshift(item)]
    if isinstance(value, str):
        return without_lines(value)
    if not isinstance(value, Mapping):
        return value
    found = {key: _stripped(item) for key, item in value.items()}
    if found.get("kind") == "Table" and found.get("columnDefinitions"):
        for column in found["columnDefinitions"]:
            column.pop("description", None)
    return found


ABSENT: Final = "<absent>"


def compare(recorded: Any, actual: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ: (path, recorded, actual)."""
    if isinstance(recorded, Mapping) and isinstance(actual, Mapping):
        for key in sorted({*recorded, *actual}):
            left, right = recorded.get(key, ABSENT), actual.get(key, ABSENT)
            yield from compare(left, right, f"{path}.{key}")
    elif isinstance(recorded, list) and isinstance(actual, list):
        for index in range(max(len(recorded), len(actual))):
            left = recorded[index] if index < len(recorded) else ABSENT
            right = actual[index] if index < len(actual) else ABSENT
            yield from compare(left, right, f"{path}[{index}]")
    elif type(recorded) is not type(actual) or recorded != actual:
        yield path, recorded, actual


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:297]}..."
