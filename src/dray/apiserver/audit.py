"""The audit log: one line for each answered request, as an `audit.k8s.io/v1` Event at level Metadata.

Each has the id that the header `Audit-Id` of its answer names. It says who asked (and as whom), what, when, and the code
of the answer. Bodies are never written, nor query strings' tokens or any header, so no Secret and no credential can reach
the file. Source: kubernetes apiserver/pkg/apis/audit/v1/types.go, 1.36.
"""

import datetime as dt
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import orjson

from dray.api.meta import Object
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.registry.kind import User
from dray.kits.clock import Clock

log = logging.getLogger("dray.apiserver")

_LONGEST_URI: Final = 4096
_CREDENTIAL: Final = re.compile(r"([?&](?:[a-z_]*token|password|secret)=)[^&]*", re.IGNORECASE)


class AuditLog:
    """Lines are written at once; they are not synced, so power loss may cost the last ones.

    What cannot be written (a full disk) is lost and told in the log: the request was answered all the same.
    """

    def __init__(self, descriptor: int, clock: Clock) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._lost = 0

    @classmethod
    def open(cls, path: Path, clock: Clock) -> "AuditLog":
        """Appends to `path`, which only its owner may read. Raises OSError."""
        return cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), clock)

    def close(self) -> None:
        os.close(self._descriptor)

    def received(self) -> dt.datetime:
        return self._clock.now()

    def write(
        self,
        received: dt.datetime,
        info: RequestInfo,
        uri: str,
        *,
        user: User | None,
        impersonator: User | None,
        audit_id: str,
        source: str,
        user_agent: str,
        code: int,
        annotations: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`user`: as whom the request was judged; None when nobody could be made out. `impersonator`: who sent it then.

        `annotations`: what admission policies and webhooks had to say.
        """
        event: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": audit_id,
            "stage": "ResponseComplete",
            "requestURI": _without_credentials(uri[:_LONGEST_URI]),
            "verb": info.verb,
            "user": _shown(impersonator or user),
        }
        if impersonator is not None:
            event["impersonatedUser"] = _shown(user)
        event |= {"sourceIPs": [source] if source else [], "userAgent": user_agent}
        if info.is_resource:
            event["objectRef"] = _reference(info)
        event |= {
            "responseStatus": {"metadata": {}, "code": code},
            "requestReceivedTimestamp": _micro(received),
            "stageTimestamp": _micro(self._clock.now()),
        }
        if annotations:
            event["annotations"] = dict(annotations)
        self._write(orjson.dumps(event) + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            os.write(self._descriptor, line)
        except OSError as error:
            if not self._lost:
                log.error("the audit log cannot be written, its lines are lost: %s", error)
            self._lost += 1
            return
        if self._lost:
            log.error("the audit log is written again; %d of its lines were lost", self._lost)
            self._lost = 0


def _without_credentials(uri: str) -> str:
    """Nothing here takes a credential from a query, but clients have been seen to send one."""
    return _CREDENTIAL.sub(r"\1***", uri)


def _shown(user: User | None) -> Object:
    if user is None:
        return {}
    shown: Object = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    return shown


def _reference(info: RequestInfo) -> Object:
    parts = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {key: value for key, value in parts.items() if value}


def _micro(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
