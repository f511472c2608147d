"""Service account tokens: JWTs signed with the cluster's key, as TokenRequest hands them out.

Only the signature scheme that dray itself issues is accepted (ES256), so no algorithm can be confused for another.
Whether the account and the pod a token is bound to still exist is the authenticator's question, not this file's.
"""

import base64
import dataclasses
import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

ISSUER = "https://kubernetes.default.svc"
ALGORITHM = "ES256"
COORDINATE_BYTES = 32
MIN_SECONDS = 600
MAX_SECONDS = 2**32
DEFAULT_SECONDS = 3600


class TokenError(Exception):
    """A token that is not ours, was changed, or has expired."""


@dataclasses.dataclass(frozen=True, slots=True)
class BoundObject:
    """The object whose end also ends the token."""

    kind: str
    name: str
    uid: str


@dataclasses.dataclass(frozen=True, slots=True)
class TokenClaims:
    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires: dt.datetime
    token_id: str
    bound: BoundObject | None = None
    node: BoundObject | None = None


class TokenIssuer:
    """Signs and verifies with one private key (PEM, P-256)."""

    def __init__(self, key_pem: bytes, audiences: Sequence[str] = (ISSUER,)) -> None:
        key = serialization.load_pem_private_key(key_pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("service account tokens need an elliptic-curve key")
        self._key = key
        self.audiences = tuple(audiences)
        """What the API server itself answers to."""
        self.key_id = _key_id(key)
        self._header = _encode(orjson.dumps({"alg": ALGORITHM, "kid": self.key_id}))
        self._accepted = (self._header, _encode(orjson.dumps({"alg": ALGORITHM, "typ": "JWT"})))
        """The header of tokens, and the one they had before they named their key."""

    def public_key(self) -> dict[str, str]:
        """What tokens are verified with, as a JSON Web Key."""
        numbers = self._key.public_key().public_numbers()
        x, y = (_encode(each.to_bytes(COORDINATE_BYTES, "big")).decode() for each in (numbers.x, numbers.y))
        return {
            "use": "sig",
            "kty": "EC",
            "kid": self.key_id,
            "crv": "P-256",
            "alg": ALGORITHM,
            "x": x,
            "y": y,
        }

    def issue(
        self,
        account: dict[str, Any],
        *,
        now: dt.datetime,
        seconds: int,
        audiences: Sequence[str] = (),
        bound: BoundObject | None = None,
        node: BoundObject | None = None,
    ) -> tuple[str, dt.datetime, str]:
        """A token for a ServiceAccount object, when it expires, and the id by which it can be told of."""
        meta = account["metadata"]
        expires = now + dt.timedelta(seconds=seconds)
        issued, identifier = int(now.timestamp()), str(uuid.uuid4())
        identity: dict[str, Any] = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound is not None:
            identity[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
        if node is not None:
            identity["node"] = {"name": node.name, "uid": node.uid}
        payload = {
            "aud": list(audiences or self.audiences),
            "exp": int(expires.timestamp()),
            "iat": issued,
            "iss": ISSUER,
            "jti": identifier,
            "kubernetes.io": identity,
            "nbf": issued,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        signing_input = self._header + b"." + _encode(orjson.dumps(payload))
        r, s = decode_dss_signature(self._key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
        return (signing_input + b"." + _encode(signature)).decode(), expires, identifier

    def verify(self, token: str, *, now: dt.datetime) -> TokenClaims:
        """Raises TokenError."""
        signing_input, _, signature = token.encode().rpartition(b".")
        header, _, payload = signing_input.partition(b".")
        if header not in self._accepted:
            raise TokenError("not a token of this cluster")
        raw = _decode(signature)
        if len(raw) != 2 * COORDINATE_BYTES:
            raise TokenError("the signature has the wrong length")
        r, s = (int.from_bytes(part, "big") for part in (raw[:COORDINATE_BYTES], raw[COORDINATE_BYTES:]))
        try:
            self._key.public_key().verify(
                encode_dss_signature(r, s), signing_input, ec.ECDSA(hashes.SHA256())
            )
        except InvalidSignature as error:
            raise TokenError("the signature does not match") from error
        claims = _claims(orjson.loads(_decode(payload)))
        if claims.expires <= now:
            raise TokenError("the token has expired")
        return claims


def _key_id(key: ec.EllipticCurvePrivateKey) -> str:
    """The digest of the public key: the same for whoever computes it."""
    encoded = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _encode(hashlib.sha256(encoded).digest()).decode()


def _claims(payload: dict[str, Any]) -> TokenClaims:
    identity = payload["kubernetes.io"]
    account = identity["serviceaccount"]
    bound = next(
        (
            BoundObject(kind, **identity[kind.lower()])
            for kind in ("Pod", "Secret")
            if kind.lower() in identity
        ),
        None,
    )
    return TokenClaims(
        namespace=identity["namespace"],
        name=account["name"],
        uid=account["uid"],
        audiences=tuple(payload["aud"]),
        expires=dt.datetime.fromtimestamp(payload["exp"], dt.UTC),
        token_id=payload["jti"],
        bound=bound,
        node=BoundObject("Node", **identity["node"]) if "node" in identity else None,
    )


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(data: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
    except ValueError as error:
        raise TokenError("the token is not base64") from error
