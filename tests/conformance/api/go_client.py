"""Asks as Kubernetes' components do: their names, their headers, their bodies; and reads the answers as strictly."""

import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from yarl import URL

from dray.api.meta import Object
from dray.apiserver.structure import Body, structured
from dray.apiserver.type_name import TypeName
from dray.testing.go_bodies import encode_object

PROTOBUF = "application/vnd.kubernetes.protobuf"
TYPED = f"{PROTOBUF},application/json"
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def metadata_of(form: str) -> str:
    """The Accept header of a client that asks for metadata alone."""
    return ",".join(f"{media};as={form};g=meta.k8s.io;v=v1" for media in (PROTOBUF, "application/json"))


_COMPONENTS = {
    "scheduler": ("system:kube-scheduler", ()),
    "controller-manager": ("system:kube-controller-manager", ()),
    "kubelet": ("system:node:n1", ("system:nodes",)),
    "proxy": ("system:kube-proxy", ()),
    "admin": ("admin", ("system:masters",)),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    code: int
    body: Object

    def __str__(self) -> str:
        return f"{self.code} {self.body.get('kind')} {self.body.get('message', '')}"


class GoClient:
    """A component, or the controller whose service account is `who`; the administrator vouches for it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, who: str) -> None:
        account = (
            f"system:serviceaccount:kube-system:{who}",
            ("system:serviceaccounts", "system:serviceaccounts:kube-system"),
        )
        user, groups = _COMPONENTS.get(who, account)
        self._session, self._url = session, url
        self._headers = [
            ("Authorization", f"Bearer {token}"),
            ("Impersonate-User", user),
            *(("Impersonate-Group", group) for group in groups),
        ]

    def _request(
        self, method: str, path: str, accept: str, content_type: str = "", data: bytes | None = None
    ) -> Any:
        headers = [*self._headers, ("Accept", accept)]
        if content_type:
            headers.append(("Content-Type", content_type))
        url = URL(self._url + path, encoded=True)
        return self._session.request(method, url, headers=headers, data=data)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        accept: str = TYPED,
        content_type: str = "",
        data: bytes | None = None,
    ) -> Answer:
        async with self._request(method, path, accept, content_type, data) as response:
            assert response.content_type == "application/json", (path, await response.text())
            body = await response.json()
        assert body.get("kind"), path
        assert body.get("apiVersion"), path
        return Answer(response.status, body)

    async def send(self, method: str, path: str, obj: Object) -> Answer:
        """`obj` as protobuf."""
        return await self.ask(method, path, content_type=PROTOBUF, data=encode_object(obj))

    async def watch(self, path: str, *, accept: str = TYPED) -> AsyncIterator[Object]:
        async with self._request("GET", path, accept) as response:
            assert response.status == 200, (path, await response.text())
            assert response.content_type == "application/json"
            async for line in response.content:
                yield json.loads(line)


def assert_decodes(obj: Object) -> None:
    """Nothing in `obj` is unknown to the type that it says it is, nor of another JSON type."""
    structured(Body(obj), TypeName(obj["apiVersion"], obj["kind"]), "Strict")
