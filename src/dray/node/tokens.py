"""Service account tokens of pods: bound to the pod, requested from the API server, renewed before they end.

A token is renewed when four fifths of its life are over, as the kubelet does.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import Object, name_of, namespace_of, parse_time, uid_of
from dray.api.resources import SERVICE_ACCOUNTS
from dray.client.protocol import Client
from dray.kits.clock import Clock

RENEW_AFTER: Final = 0.8
MAX_AGE: Final = dt.timedelta(hours=24)

Key = tuple[str, str, int]
"""(pod uid, audience, lifetime in seconds)."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: dt.datetime


class ServiceAccountTokens:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._tokens: dict[Key, _Token] = {}

    async def token(self, pod: Mapping[str, Any], audience: str, lifetime_seconds: int) -> str:
        """A token of the pod's service account. Raises StatusError or Unreachable."""
        key = (uid_of(pod), audience, lifetime_seconds)
        known = self._tokens.get(key)
        if known is None or self._clock.now() >= known.renew_at:
            known = self._tokens[key] = await self._request(pod, audience, lifetime_seconds)
        return known.text

    async def _request(self, pod: Mapping[str, Any], audience: str, lifetime_seconds: int) -> _Token:
        spec: Object = {
            "expirationSeconds": lifetime_seconds,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": name_of(pod),
                "uid": uid_of(pod),
            },
        }
        if audience:
            spec["audiences"] = [audience]
        answer = await self._client.create(
            SERVICE_ACCOUNTS,
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
            namespace_of(pod),
            name=pod["spec"].get("serviceAccountName") or "default",
            subresource="token",
        )
        now = self._clock.now()
        life = parse_time(answer["status"]["expirationTimestamp"]) - now
        return _Token(answer["status"]["token"], now + min(life * RENEW_AFTER, MAX_AGE))

    def forget(self, pod_uid: str) -> None:
        self._tokens = {key: token for key, token in self._tokens.items() if key[0] != pod_uid}
