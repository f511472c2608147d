"""Who is asking: a client certificate, a static, service account or bootstrap token, or nobody (anonymous).

A bearer token that nobody knows is refused (401); the absence of any credential is the anonymous user, whom RBAC then
allows very little. Verified tokens are remembered briefly, since their bound objects must be looked at each time anyway.
"""

import csv
import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dray.api.fields import quote
from dray.api.meta import uid_of
from dray.api.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from dray.apiserver.access import ANONYMOUS, AUTHENTICATED, unauthorized
from dray.apiserver.authentication.bootstrap_tokens import BootstrapTokens
from dray.apiserver.authentication.certificates import CREDENTIAL_ID, ClientCertificates
from dray.apiserver.authentication.tokens import BoundObject, TokenClaims, TokenError, TokenIssuer
from dray.apiserver.core import path_of
from dray.apiserver.registry.kind import User
from dray.kits.clock import Clock
from dray.store.backend import Store

if TYPE_CHECKING:
    from aiohttp import web


CACHE_LIMIT = 1000
_INVALID = "invalid bearer token"
_BOUND_RESOURCES = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}


class TokenFileError(Exception):
    """A static token file that cannot be used; names file and line."""


def read_token_file(path: pathlib.Path) -> dict[str, User]:
    """kube-apiserver's --token-auth-file: `token,user,uid,"group1,group2"` a line."""
    users: dict[str, User] = {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or row[0].startswith("#"):
                continue
            if len(row) < 3:
                raise TokenFileError(
                    f"{path}:{number}: expected token,user,uid[,groups], found {len(row)} columns"
                )
            groups = tuple(row[3].split(",")) if len(row) > 3 else ()
            users[row[0]] = User(row[1], groups, row[2])
    return users


@dataclasses.dataclass(frozen=True, slots=True)
class TokenVerdict:
    user: User | None
    """Without the groups every user has; None when the token is worth nothing."""
    audiences: tuple[str, ...] = ()
    """For whom of those asked about it is good."""
    why: str = ""
    """It is worth nothing, in Kubernetes' words."""


class AuthenticatorChain:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        issuer: TokenIssuer | None = None,
        static_tokens: Mapping[str, User] | None = None,
        bootstrap_tokens: bool = False,
        certificates: ClientCertificates | None = None,
        allow_anonymous: bool = True,
    ) -> None:
        """`certificates`: how they are read where a proxy may show one, too."""
        self._store = store
        self._clock = clock
        self._issuer = issuer
        self._static = {_digest(token): user for token, user in (static_tokens or {}).items()}
        self._bootstrap = BootstrapTokens(store, clock) if bootstrap_tokens else None
        self._certificates = certificates or ClientCertificates()
        self._allow_anonymous = allow_anonymous
        self._verified: dict[bytes, TokenClaims] = {}

    async def authenticate(self, request: "web.BaseRequest") -> User:
        """Raises Unauthorized.

        Who shows a certificate is its user, whatever token comes with it; one that makes nobody known is no harm beside
        a good token.
        """
        shown = self._certificates.read(request)
        if shown is not None and shown.user is not None:
            return authenticated(shown.user)
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            user = self.user_of_token(token.strip())
            if user is None:
                raise unauthorized()
            return authenticated(user)
        if shown is not None or not self._allow_anonymous:
            raise unauthorized()
        return ANONYMOUS

    def user_of_token(self, token: str) -> User | None:
        """The user a token stands for, without the groups every user has; None when it is worth nothing."""
        return self.judge_token(token).user

    def judge_token(self, token: str, audiences: Sequence[str] = ()) -> TokenVerdict:
        """`audiences`: for whom it shall be good; none: for this server."""
        digest, own = _digest(token), self._issuer.audiences if self._issuer else ()
        wanted = audiences or own
        user = self._static.get(digest)
        if user is None and self._bootstrap is not None:
            user = self._bootstrap.user_of(token)
        if user is not None:
            granted = _both(own, wanted)
            return TokenVerdict(user, granted) if granted or not wanted else TokenVerdict(None, why=_INVALID)
        claims = self._claims_of(token, digest)
        if claims is None:
            return TokenVerdict(None, why=_INVALID)
        granted = _both(claims.audiences, wanted)
        if not granted:
            has, asked = (" ".join(map(quote, names)) for names in (claims.audiences, wanted))
            why = f"token audiences [{has}] is invalid for the target audiences [{asked}]"
            return TokenVerdict(None, why=f"[{_INVALID}, {why}]")
        if not self._is_current(claims):
            return TokenVerdict(None, why=f"[{_INVALID}, Token has been invalidated]")
        return TokenVerdict(_account_user(claims), granted)

    def _claims_of(self, token: str, digest: bytes) -> TokenClaims | None:
        if self._issuer is None:
            return None
        now = self._clock.now()
        claims = self._verified.get(digest)
        if claims is None:
            try:
                claims = self._issuer.verify(token, now=now)
            except (TokenError, ValueError, KeyError, TypeError):
                return None
            if len(self._verified) >= CACHE_LIMIT:
                self._verified.clear()
            self._verified[digest] = claims
        return claims if claims.expires > now else None

    def _is_current(self, claims: TokenClaims) -> bool:
        account = BoundObject("ServiceAccount", claims.name, claims.uid)
        if not self._exists(account, claims.namespace):
            return False
        return claims.bound is None or self._exists(claims.bound, claims.namespace)

    def _exists(self, bound: BoundObject, namespace: str) -> bool:
        resource = _BOUND_RESOURCES.get(bound.kind, SERVICE_ACCOUNTS)
        record = self._store.get(resource.qualified, path_of(resource, namespace, bound.name))
        return record is not None and uid_of(record.obj) == bound.uid


def _both(has: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in has if name in wanted)


def authenticated(user: User) -> User:
    """The user with the group that every authenticated one has."""
    if AUTHENTICATED in user.groups or user.name == ANONYMOUS.name:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)


def service_account_groups(namespace: str) -> tuple[str, str]:
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}"


def _account_user(claims: TokenClaims) -> User:
    extra: dict[str, tuple[str, ...]] = {CREDENTIAL_ID: (f"JTI={claims.token_id}",)}
    if claims.node is not None:
        extra["authentication.kubernetes.io/node-name"] = (claims.node.name,)
        extra["authentication.kubernetes.io/node-uid"] = (claims.node.uid,)
    if claims.bound is not None and claims.bound.kind == "Pod":
        extra["authentication.kubernetes.io/pod-name"] = (claims.bound.name,)
        extra["authentication.kubernetes.io/pod-uid"] = (claims.bound.uid,)
    name = f"system:serviceaccount:{claims.namespace}:{claims.name}"
    return User(name, service_account_groups(claims.namespace), claims.uid, extra)


def _digest(token: str) -> bytes:
    """Tokens are kept and compared as digests, so that neither memory nor timing gives one away."""
    return hashlib.sha256(token.encode()).digest()
