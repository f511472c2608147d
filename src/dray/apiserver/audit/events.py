"""The Events of one request: what is known of it, stage by stage, in the fields and the order of kube-apiserver.

Headers are never written but the user agent and the addresses that proxies report, and what looks like a credential in a
URL is left out; bodies are written as far as the policy asks for them. Source: kubernetes apiserver/pkg/audit and
pkg/endpoints/filters/audit.go, 1.36.
"""

import datetime as dt
import functools
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from dray.api.meta import Object
from dray.apiserver.access import Attributes, Decision
from dray.apiserver.audit.answers import (
    bare,
    checked,
    document_of,
    is_status,
    status_of,
    without_managed_fields,
)
from dray.apiserver.audit.log import AuditLog
from dray.apiserver.audit.policy import OWN, PATCH_NOTES, Level, Policy, Stage, Told
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.registry.kind import User
from dray.kits import go_json
from dray.kits.clock import Clock

_CREDENTIAL: Final = re.compile(r"([?&](?:[a-z_]*token|password|secret)=)[^&]*", re.IGNORECASE)
_LONGEST_AGENT: Final = 1024
_NO_TEXT: Final = re.compile("[\ud800-\udfff]")
_LASTING: Final = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_REFERRED: Final = ("namespace", "name", "uid", "resourceVersion")
_SWITCHED: Final = 101
_PANIC: Final = 500
_LEFT: Final = {"metadata": {}, "status": "Success", "message": "Connection closed early", "code": 200}
"""What the status of a request is whose client did not wait for the answer."""


class Auditor:
    """What the server asks when a request has come in."""

    def __init__(self, log: AuditLog, clock: Clock, policy: Policy = OWN) -> None:
        self.log = log
        self.clock = clock
        self._policy = policy

    def begin(
        self, request: web.BaseRequest, identity: str, asked: Attributes, received: dt.datetime
    ) -> "Trail | None":
        """`asked` by whoever sent it, impersonation aside; `identity`: what the answer calls the request.

        None for a request of which nothing is told.
        """
        trail = self._trail(request, identity, asked, received, asked.user)
        if trail is not None:
            trail.write(Stage.RECEIVED)
        return trail

    def unknown(
        self, request: web.BaseRequest, identity: str, asked: Attributes, received: dt.datetime
    ) -> "Trail | None":
        """The same for a request whose sender could not be made out: all of it is the refusal, when that starts."""
        trail = self._trail(request, identity, asked, received, None)
        if trail is not None and not self._policy.is_own:
            trail.last = Stage.STARTED
        return trail

    def _trail(
        self,
        request: web.BaseRequest,
        identity: str,
        asked: Attributes,
        received: dt.datetime,
        user: User | None,
    ) -> "Trail | None":
        told = self._policy.judge(asked)
        if told.level is Level.NONE:
            return None
        trail = Trail(self, told, request, identity, asked, received, user, not self._policy.is_own)
        request[TRAIL] = trail
        return trail


class Trail:
    """One request on its way. Whoever learns something of it says so here."""

    last = Stage.COMPLETE

    def __init__(
        self,
        auditor: Auditor,
        told: Told,
        request: web.BaseRequest,
        identity: str,
        asked: Attributes,
        received: dt.datetime,
        user: User | None,
        tells_texts: bool,
    ) -> None:
        """`tells_texts`: of an answer, all that a Status says and not only its code."""
        self._auditor = auditor
        self._told = told
        self._request = request
        self._identity = identity
        self._asked = asked
        self._received = received
        self._tells_texts = tells_texts
        self._is_lasting = asked.verb == "watch" or asked.subresource in _LASTING
        self._is_over = False
        self._user = user
        self._acting: User | None = None
        self._constraint = ""
        self._reference = _reference(asked)
        self._status: Object | None = None
        self._sent: orjson.Fragment | None = None
        self._answered: orjson.Fragment | None = None
        self.annotations: dict[str, str] = {}

    # --- what becomes known

    def impersonated(self, user: User, constraint: str) -> None:
        """`constraint`: the verb of the constrained form that allowed it, or ""."""
        self._acting, self._constraint = user, constraint

    def decided(self, decision: Decision) -> None:
        self.annotations["authorization.k8s.io/decision"] = "allow" if decision.allowed else "forbid"
        self.annotations["authorization.k8s.io/reason"] = decision.reason

    def deprecated(self, removed_in: str) -> None:
        """The version of the API that was asked for is on its way out."""
        self.annotations["k8s.io/deprecated"] = "true"
        if removed_in:
            self.annotations["k8s.io/removed-release"] = removed_in

    def requested(self, obj: Object, shown: Callable[[], Object] | None = None) -> None:
        """The object that was sent, with its defaults. `shown`: it in the version it was sent in, if that is not `obj`."""
        meta = obj.get("metadata") or {}
        for key in _REFERRED:
            if meta.get(key) and not self._reference.get(key):
                self._reference[key] = meta[key]
        if self._told.level < Level.REQUEST:
            return
        whole = shown() if shown is not None else obj
        if self._told.without_managed_fields:
            whole = without_managed_fields(whole)
        named = {"kind": whole.get("kind", ""), "apiVersion": whole.get("apiVersion", "")}
        self._sent = orjson.Fragment(orjson.dumps(named | whole))

    def patched(self, patch: Any) -> None:
        """By what was sent, as JSON."""
        if self._told.level >= Level.REQUEST:
            self._sent = orjson.Fragment(orjson.dumps(patch))

    # --- stages

    def started(self, code: int) -> None:
        """The answer is on its way, and will be for a while."""
        if self._is_over or self._status is not None:
            return
        self._status = {"metadata": {}, "code": code}
        if self._is_lasting:
            self.write(Stage.STARTED)

    def switched(self) -> None:
        """The connection speaks another protocol from here on."""
        self.started(_SWITCHED)

    def panicked(self, error: Exception) -> None:
        """Nothing but the kind of the error is told: its text might hold anything."""
        text = f"APIServer panic'd: {type(error).__name__}"
        self._status = {"metadata": {}, "status": "Failure", "message": text, "reason": "InternalError"}
        if not self._tells_texts:
            self._status = {"metadata": {}}
            self.last = Stage.COMPLETE
        else:
            self.last = Stage.PANIC
        self._status["code"] = _PANIC
        self._finish()

    def end(self) -> None:
        """The request is over: answered, or left by its client."""
        if self._is_over:
            return
        if self._status is None:
            self._status = dict(_LEFT) if self._tells_texts else {"metadata": {}, "code": 499}
            if self._is_lasting:
                self.write(Stage.STARTED)
        self._finish()

    def _finish(self) -> None:
        self._is_over = True
        self.write(self.last)

    async def answered(self, response: web.StreamResponse) -> None:
        """`response`: as it was made, or as it was streamed already."""
        if self._is_over or self._status is not None:
            return
        self._status = {"metadata": {}, "code": response.status}
        if self._tells_texts:
            await self._read(response)
        if self._is_lasting and self.last is Stage.COMPLETE:
            self.write(Stage.STARTED)

    async def _read(self, response: web.StreamResponse) -> None:
        """What a Status says, and whatever else the policy asks for."""
        is_whole = self._told.level is Level.RESPONSE
        accept = self._request.headers.get("Accept", "")
        is_bare = is_whole and self._told.without_managed_fields

        if self._is_lasting and "Content-Encoding" in response.headers:
            return  # of another server, whatever is in it

        def read() -> bytes | None:
            document = document_of(response, accept, is_whole=is_whole)
            if document is None:
                return None
            if self._is_lasting:  # the words may be a kubelet's
                return checked(document)
            return bare(document) if is_bare else document

        document = await worked_out(_length(response), read)
        if document is None:
            return
        is_refusal = is_status(document)
        if is_refusal:
            self._status = status_of(document, response.status)
        if is_whole and (is_refusal or self._is_told_of()):
            self._answered = orjson.Fragment(document)

    def _is_told_of(self) -> bool:
        """Whether what is asked for is an object of the API: of other paths, only those that tell of the API's kinds."""
        if self._asked.resource:
            return not self._is_lasting
        return self._asked.path.strip("/").partition("/")[0] in ("api", "apis")

    # --- the line

    def write(self, stage: Stage) -> None:
        if stage in self._told.omitted:
            return
        self._auditor.log.write(_line(self._event(stage)))

    def _event(self, stage: Stage) -> Object:
        before, after = self._parts
        event: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": self._told.level.shown,
            "auditID": self._identity,
            "stage": stage.value,
            **before,
        }
        if self._acting is not None:
            event["impersonatedUser"] = _shown(self._acting)
        if self._constraint:
            event["authenticationMetadata"] = {"impersonationConstraint": self._constraint}
        event |= after
        if self._reference:
            event["objectRef"] = {key: value for key, value in self._reference.items() if value}
        event |= self._outcome()
        received = event["requestReceivedTimestamp"] = _micro(self._received)
        is_first = stage is Stage.RECEIVED
        event["stageTimestamp"] = received if is_first else _micro(self._auditor.clock.now())
        if notes := self._notes():
            event["annotations"] = notes
        return event

    def _notes(self) -> dict[str, str]:
        shows_bodies = self._told.level >= Level.REQUEST
        return {
            key: self.annotations[key]
            for key in sorted(self.annotations)
            if shows_bodies or not key.startswith(PATCH_NOTES)
        }

    @functools.cached_property
    def _parts(self) -> tuple[Object, Object]:
        """What is known from the beginning: before and after what is told of impersonation."""
        request = self._request
        headers = request.headers
        before = {
            "requestURI": _without_credentials(request.rel_url.raw_path_qs),
            "verb": self._asked.verb,
            "user": _shown(self._user),
        }
        after: Object = {"sourceIPs": list(source_addresses(headers, request.remote or ""))}
        if agent := headers.get("User-Agent", ""):
            after["userAgent"] = _shortened(agent)
        return before, after

    def _outcome(self) -> Iterator[tuple[str, Any]]:
        if self._status is not None:
            yield "responseStatus", self._status
        if self._sent is not None:
            yield "requestObject", self._sent
        if self._answered is not None:
            yield "responseObject", self._answered


TRAIL: Final = web.RequestKey("audit-trail", Trail)
"""Where a request has its trail, if it has one."""


def source_addresses(headers: Mapping[str, str], remote: str) -> Iterator[str]:
    """Where a request comes from: as proxies report it, which anybody could, and last the connection's own end."""
    reported = list(filter(None, map(_address, headers.get("X-Forwarded-For", "").split(","))))
    real = _address(headers.get("X-Real-Ip", ""))
    if real and real not in reported:
        reported.append(real)
    yield from reported
    own = _address(remote)
    if own and own != (reported or [""])[-1]:
        yield own


def _length(response: web.StreamResponse) -> int:
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, bytes) else 0


def _line(event: Object) -> bytes:
    try:
        return go_json.encode(event, is_line=True)
    except TypeError:
        return go_json.encode(_readable(event), is_line=True)


def _readable(value: Any) -> Any:
    """With a mark for bytes of headers that are no text, as Go writes them."""
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return _NO_TEXT.sub("\ufffd", value) if isinstance(value, str) else value


@functools.lru_cache(maxsize=256)
def _address(text: str) -> str:
    """As Go writes it; "" for what is none."""
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _without_credentials(uri: str) -> str:
    """Nothing here takes a credential from a query, but clients have been seen to send one."""
    return _CREDENTIAL.sub(r"\1***", uri) if "=" in uri else uri


def _shortened(agent: str) -> str:
    return agent if len(agent) <= _LONGEST_AGENT else f"{agent[:_LONGEST_AGENT]}...TRUNCATED"


def _shown(user: User | None) -> Object:
    if user is None:
        return {}
    shown: Object = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in sorted(user.extra.items())}
    return shown


def _reference(asked: Attributes) -> Object:
    """With a place for what is only known later, so that it comes in order. {} for other paths."""
    if not asked.resource:
        return {}
    return {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "uid": "",
        "apiGroup": asked.group,
        "apiVersion": asked.version,
        "resourceVersion": "",
        "subresource": asked.subresource,
    }


def _micro(moment: dt.datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
