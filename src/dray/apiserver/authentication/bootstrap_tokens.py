"""Bootstrap tokens: `id.secret`, kept as Secrets of kube-system, with which a machine asks for its first certificate.

Source: kubernetes plugin/pkg/auth/authenticator/token/bootstrap and cluster-bootstrap, 1.36.
"""

import base64
import datetime as dt
import hmac
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import Object, is_deleting
from dray.api.resources import SECRETS
from dray.apiserver.core import path_of
from dray.apiserver.registry.kind import User
from dray.kits.clock import Clock
from dray.store.backend import Store

log = logging.getLogger("dray.apiserver")

SECRET_TYPE: Final = "bootstrap.kubernetes.io/token"
GROUP: Final = "system:bootstrappers"
_TOKEN: Final = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_EXTRA_GROUP: Final = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class BootstrapTokens:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def user_of(self, token: str) -> User | None:
        """None for what is no bootstrap token, or one that is worth nothing (the log says why)."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        name = f"bootstrap-token-{match[1]}"
        record = self._store.get(SECRETS.qualified, path_of(SECRETS, "kube-system", name))
        if record is None:
            return None
        data = _texts(record.obj)
        if problem := self._problem(record.obj, data, match[1], match[2]):
            log.info("bootstrap token %s is refused: its secret %s", match[1], problem)
            return None
        groups = _groups(data)
        if groups is None:
            log.info(
                "bootstrap token %s is refused: its secret names other groups than bootstrappers'", match[1]
            )
            return None
        return User(f"system:bootstrap:{match[1]}", groups)

    def _problem(self, secret: Object, data: Mapping[str, str], token_id: str, token_secret: str) -> str:
        """What is wrong with the secret; "" for nothing."""
        if is_deleting(secret):
            return "is being deleted"
        if secret.get("type") != SECRET_TYPE:
            return "is of another type"
        if not hmac.compare_digest(data.get("token-secret", "").encode(), token_secret.encode()):
            return "holds another token-secret"
        if data.get("token-id") != token_id:
            return "holds another token-id"
        if _is_over(data.get("expiration", ""), self._clock.now()):
            return "has expired"
        if data.get("usage-bootstrap-authentication") != "true":
            return "is not for authentication"
        return ""


def _texts(secret: Object) -> dict[str, str]:
    found = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value or "").decode()
        except ValueError:
            continue
    return found


def _is_over(expiration: str, now: dt.datetime) -> bool:
    """A time that nobody can read is over."""
    if not expiration:
        return False
    try:
        until: Any = dt.datetime.fromisoformat(expiration)
    except ValueError:
        return True
    return until.tzinfo is None or now >= until


def _groups(data: Mapping[str, str]) -> tuple[str, ...] | None:
    """None where one is named that tokens may not give."""
    extra = data.get("auth-extra-groups", "")
    named = extra.split(",") if extra else []
    if any(_EXTRA_GROUP.fullmatch(each) is None for each in named):
        return None
    return tuple(sorted({GROUP, *named}))
