"""What the server counts about its requests, under Kubernetes' names."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from dray.api.features import FeatureGates
from dray.api.releases import LATER, Gate, Stage, known_gates
from dray.apiserver.core import Core
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.process_metrics import add_process_metrics
from dray.apiserver.registry.kind import Kind
from dray.apiserver.release import version_document
from dray.kits.metrics import Cell, CounterCell, Registry

_BUCKETS: Final = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_WATCHED: Final = ("group", "version", "resource")
_BUILD: Final[Mapping[str, str]] = {
    "build_date": "buildDate", "compiler": "compiler", "git_commit": "gitCommit", "git_tree_state": "gitTreeState",
    "git_version": "gitVersion", "go_version": "goVersion", "major": "major", "minor": "minor", "platform": "platform",
}  # fmt: skip
"""By label, the field of the answer at /version."""
_PLACE: Final = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_SIZES: Final = tuple(10.0**power for power in range(3, 10))
_BODY_SIZES: Final = tuple(float(size) for size in range(50_000, 3_100_000, 100_000))
_EVENT_SIZES: Final = tuple(1024.0 * 2**power for power in range(8))
_CONNECTED: Final = ("log", "exec", "attach", "portforward", "proxy")
_APPLYING: Final = ("application/apply-patch+yaml", "application/apply-patch+cbor")
_DOCUMENTS: Final = ("api", "apis")
_CHECKS: Final = ("healthz", "livez", "readyz")
LONG_RUNNING: Final = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_SUBRESOURCES: Final = LONG_RUNNING | {
    "status", "scale", "binding", "eviction", "token", "finalize", "ephemeralcontainers", "resize",
}  # fmt: skip
_VERBS: Final[Mapping[str, str]] = {
    "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "get": "GET", "list": "LIST",
    "watch": "WATCH", "deletecollection": "DELETECOLLECTION", "post": "POST", "put": "PUT",
}  # fmt: skip


class RequestMetrics:
    def __init__(self, registry: Registry, core: Core) -> None:
        self._kinds = core.kinds
        self._total = registry.counter(
            "apiserver_request_total",
            "Requests answered, by what they were about and the HTTP status.",
            (*_PLACE, "dry_run", "code"),
        )
        self._seconds = registry.histogram(
            "apiserver_request_duration_seconds",
            "Time from the request's arrival to the end of its answer, long-running requests apart.",
            (*_PLACE, "dry_run"),
            buckets=_BUCKETS,
        )
        self._service_level = registry.histogram(
            "apiserver_request_sli_duration_seconds",
            "As apiserver_request_duration_seconds; nothing is taken off for webhooks.",
            _PLACE,
            buckets=_BUCKETS[2:],
        )
        self._response_sizes = registry.histogram(
            "apiserver_response_sizes", "Bytes of the answers to reads.", _PLACE, buckets=_SIZES
        )
        self._body_sizes = registry.histogram(
            "apiserver_request_body_size_bytes",
            "Bytes of the bodies of writes.",
            ("group", "resource", "verb"),
            buckets=_BODY_SIZES,
        )
        self._events = registry.counter("apiserver_watch_events_total", "Events sent to watchers.", _WATCHED)
        self._event_sizes = registry.histogram(
            "apiserver_watch_events_sizes",
            "Bytes of events sent to watchers.",
            _WATCHED,
            buckets=_EVENT_SIZES,
        )
        inflight = registry.gauge(
            "apiserver_current_inflight_requests", "Requests being answered.", ("request_kind",)
        )
        self._inflight = {
            True: inflight.cell(request_kind="readOnly"),
            False: inflight.cell(request_kind="mutating"),
        }
        """By whether a request only reads."""
        self._places: dict[tuple[str, ...], Place] = {}
        """By the values of _PLACE."""
        self._long_running = registry.gauge(
            "apiserver_longrunning_requests", "Watches and streams being served.", _PLACE
        )
        _tell_of_server(registry, core)

    def begin(self, info: RequestInfo, request: web.BaseRequest) -> "Measured":
        """Call `end` on the result when the answer is complete."""
        # What clients make up must not become labels that are kept for ever.
        is_known = self._kinds.find(info.group, info.version, info.resource) is not None
        place = self._place(_labels(info if is_known else _unknown(info), _verb(info, request)))
        if is_known and info.is_watch:
            request[WATCH_METER] = self._watch_meter(info)
        elif is_known and request.content_length:
            sizes = {"group": info.group, "resource": info.resource, "verb": info.verb}
            self._body_sizes.observe(request.content_length, **sizes)
        return Measured(self, info, place)

    def _place(self, labels: tuple[str, ...]) -> "Place":
        known = self._places.get(labels)
        if known is None:
            known = self._places[labels] = Place(self, dict(zip(_PLACE, labels, strict=True)))
        return known

    def _watch_meter(self, info: RequestInfo) -> "WatchMeter":
        place = {"group": info.group, "version": info.version, "resource": info.resource}
        return WatchMeter(self._events.cell(**place), self._event_sizes.cell(**place))


class WatchMeter:
    """Counts the events of watches of one resource."""

    def __init__(self, events: CounterCell, sizes: Cell) -> None:
        self._events, self._sizes = events, sizes

    def sent(self, lines: Sequence[bytes]) -> None:
        self._events.inc(float(len(lines)))
        for line in lines:
            self._sizes.observe(len(line))


WATCH_METER: Final = web.RequestKey("watch-meter", WatchMeter)


def _tell_of_server(registry: Registry, core: Core) -> None:
    """What is found out when somebody reads the metrics."""
    registry.gauge(
        "apiserver_storage_objects",
        "Objects stored, by resource.",
        ("resource",),
        collect=lambda: _object_counts(core),
    )
    registry.gauge(
        "apiserver_resource_objects",
        "Objects stored, by resource.",
        ("group", "resource"),
        collect=lambda: _parted(_object_counts(core)),
    )
    registry.gauge(
        "kubernetes_build_info",
        "The release that the server stands for, and what it runs on; the value is 1.",
        tuple(_BUILD),
        collect=lambda: _build(core.features.release),
    )
    add_process_metrics(registry)
    registry.gauge(
        "kubernetes_feature_enabled",
        "Feature gates: 1 where on, 0 where off. The stage of settled ones is empty.",
        ("name", "stage"),
        collect=lambda: _features(core.features),
    )


def _features(features: FeatureGates) -> dict[tuple[str, ...], float]:
    return {
        (name, "" if gate.stage is Stage.GA else gate.stage.value): float(features.enabled(name))
        for name, gate in {**known_gates(features.release), **_turned_on(features)}.items()
    }


def _turned_on(features: FeatureGates) -> dict[str, Gate]:
    """Gates of later releases that somebody named."""
    return {name: gate for name, gate in LATER.items() if features.enabled(name)}


class Measured:
    """One request on its way."""

    def __init__(self, metrics: RequestMetrics, info: RequestInfo, place: "Place") -> None:
        self._place = place
        self._is_long = info.is_watch or info.subresource in LONG_RUNNING
        self._start = time.perf_counter()
        if self._is_long:
            self._under_way = metrics._long_running.cell(**place.labels)
        else:
            self._under_way = metrics._inflight[info.method == "GET"]
        self._under_way.inc()

    def end(self, code: int, dry_run: str = "", size: int | None = None) -> None:
        """`size`: bytes of the body, where it was sent in one piece."""
        self._place.ended(code, dry_run)
        self._under_way.inc(-1.0)
        if not self._is_long:
            self._place.took(time.perf_counter() - self._start, dry_run, size)


class Place:
    """All that is measured of requests with the same labels, each looked up once."""

    def __init__(self, metrics: RequestMetrics, labels: dict[str, str]) -> None:
        self.labels = labels
        self._metrics = metrics
        self._total: dict[tuple[int, str], CounterCell] = {}
        self._seconds: dict[str, Cell] = {}
        self._service_level: Cell | None = None
        self._sizes: Cell | None = None

    def ended(self, code: int, dry_run: str) -> None:
        total = self._total.get((code, dry_run))
        if total is None:
            total = self._metrics._total.cell(**self.labels, dry_run=dry_run, code=str(code))
            self._total[code, dry_run] = total
        total.inc()

    def took(self, seconds: float, dry_run: str, size: int | None) -> None:
        cell = self._seconds.get(dry_run)
        if cell is None:
            cell = self._seconds[dry_run] = self._metrics._seconds.cell(**self.labels, dry_run=dry_run)
        cell.observe(seconds)
        if self._service_level is None:
            self._service_level = self._metrics._service_level.cell(**self.labels)
        self._service_level.observe(seconds)
        if size is not None and self.labels["verb"] in ("GET", "LIST"):
            if self._sizes is None:
                self._sizes = self._metrics._response_sizes.cell(**self.labels)
            self._sizes.observe(size)


def _unknown(info: RequestInfo) -> RequestInfo:
    """Of other paths those are told apart that everybody asks for."""
    if info.is_resource:
        return RequestInfo("", "", "")
    head, _, rest = info.path.strip("/").partition("/")
    if head in _CHECKS:
        return RequestInfo("", "", "", subresource=f"/{head}")
    if head in _DOCUMENTS and not rest:
        return RequestInfo("", "", "", subresource=head)
    is_described = head == "openapi" and rest.partition("/")[0] in ("v2", "v3")
    return RequestInfo("", "", "", subresource=f"openapi/{rest[:2]}" if is_described else "")


def _verb(info: RequestInfo, request: web.BaseRequest) -> str:
    if info.subresource in _CONNECTED:
        return "CONNECT"
    if info.verb == "patch" and request.content_type in _APPLYING:
        return "APPLY"
    return _VERBS.get(info.verb, "OTHER")


def _labels(info: RequestInfo, verb: str) -> tuple[str, ...]:
    """The values of _PLACE."""
    scope, subresource = "", info.subresource
    if info.is_resource:
        is_one = info.name or info.verb == "create"
        scope = "resource" if is_one else "namespace" if info.namespace else "cluster"
        subresource = subresource if subresource in _SUBRESOURCES else ""
    component = "apiserver" if info.is_resource or subresource in _DOCUMENTS else ""
    return (verb, info.group, info.version, info.resource, subresource, scope, component)


def _is_stored(kind: Kind) -> bool:
    return not (kind.virtual or kind.told)


def _object_counts(core: Core) -> dict[tuple[str, ...], float]:
    stored = {kind.stored.qualified for kind in core.kinds.kinds if _is_stored(kind)}
    return {(resource,): float(core.store.count(resource)) for resource in stored}


def _parted(counts: Mapping[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """`deployments.apps` as group and resource."""
    parted: dict[tuple[str, ...], float] = {}
    for (qualified,), count in counts.items():
        resource, _, group = qualified.partition(".")
        parted[group, resource] = count
    return parted


def _build(release: str) -> dict[tuple[str, ...], float]:
    document = version_document(release)
    return {tuple(str(document[field]) for field in _BUILD.values()): 1.0}
