"""What the server counts about its requests, under Kubernetes' names."""

import time
from collections.abc import Mapping
from typing import Final

from dray.api.features import FeatureGates
from dray.api.releases import LATER, Gate, Stage, known_gates
from dray.apiserver.core import Core
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.registry.kind import Kind
from dray.kits.metrics import Registry

_BUCKETS: Final = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_PLACE: Final = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_LONG_RUNNING: Final = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_SUBRESOURCES: Final = _LONG_RUNNING | {
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
            _PLACE,
            buckets=_BUCKETS,
        )
        self._inflight = registry.gauge(
            "apiserver_current_inflight_requests", "Requests being answered.", ("request_kind",)
        )
        self._long_running = registry.gauge(
            "apiserver_longrunning_requests", "Watches and streams being served.", _PLACE
        )
        registry.gauge(
            "apiserver_storage_objects",
            "Objects stored, by resource.",
            ("resource",),
            collect=lambda: _object_counts(core),
        )
        registry.gauge(
            "kubernetes_feature_enabled",
            "Feature gates: 1 where on, 0 where off. The stage of settled ones is empty.",
            ("name", "stage"),
            collect=lambda: _features(core.features),
        )

    def begin(self, info: RequestInfo) -> "Measured":
        """Call `end` on the result when the answer is complete."""
        # What clients make up must not become labels that are kept for ever.
        is_known = self._kinds.find(info.group, info.version, info.resource) is not None
        return Measured(self, info, _place(info if is_known else _UNKNOWN, info.verb))


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

    def __init__(self, metrics: RequestMetrics, info: RequestInfo, place: dict[str, str]) -> None:
        self._metrics = metrics
        self._place = place
        self._is_long = info.is_watch or info.subresource in _LONG_RUNNING
        self._start = time.perf_counter()
        self._kind = "readOnly" if info.method == "GET" else "mutating"
        if self._is_long:
            metrics._long_running.inc(1.0, **self._place)
        else:
            metrics._inflight.inc(request_kind=self._kind)

    def end(self, code: int, dry_run: str = "") -> None:
        metrics = self._metrics
        metrics._total.inc(1.0, **self._place, dry_run=dry_run, code=str(code))
        if self._is_long:
            metrics._long_running.dec(1.0, **self._place)
            return
        metrics._inflight.dec(request_kind=self._kind)
        metrics._seconds.observe(time.perf_counter() - self._start, **self._place)


_UNKNOWN: Final = RequestInfo("", "", "")


def _place(info: RequestInfo, verb: str) -> dict[str, str]:
    scope = ""
    if info.is_resource:
        scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    return {
        "verb": _VERBS.get(verb, "OTHER"),
        "group": info.group,
        "version": info.version,
        "resource": info.resource,
        "subresource": info.subresource if info.subresource in _SUBRESOURCES else "",
        "scope": scope,
        "component": "apiserver",
    }


def _is_stored(kind: Kind) -> bool:
    return not (kind.virtual or kind.told)


def _object_counts(core: Core) -> dict[tuple[str, ...], float]:
    stored = {(kind.stored_as or kind.resource).qualified for kind in core.kinds.kinds if _is_stored(kind)}
    return {(resource,): float(core.store.count(resource)) for resource in stored}
