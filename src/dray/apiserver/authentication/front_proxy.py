"""Users that a trusted proxy names in headers: it has judged them itself and shows its own certificate.

Source: kubernetes apiserver/pkg/authentication/request/headerrequest, 1.36.
"""

import dataclasses
import json
import urllib.parse
from typing import TYPE_CHECKING, Final

from dray.apiserver.registry.kind import User

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

DEFAULT_NAMES: Final = ("front-proxy-client",)
DEFAULT_USERNAME_HEADERS: Final = ("X-Remote-User",)
DEFAULT_GROUP_HEADERS: Final = ("X-Remote-Group",)
DEFAULT_EXTRA_PREFIXES: Final = ("X-Remote-Extra-",)


@dataclasses.dataclass(frozen=True, slots=True)
class FrontProxy:
    """Who may name users, and in which headers; the defaults are those of a cluster made by kubeadm."""

    authority: bytes
    """PEM of one certificate or more: whose signature makes a proxy."""
    allowed_names: tuple[str, ...] = DEFAULT_NAMES
    """Common names of proxies; none: every certificate of the authority."""
    username_headers: tuple[str, ...] = DEFAULT_USERNAME_HEADERS
    group_headers: tuple[str, ...] = DEFAULT_GROUP_HEADERS
    extra_prefixes: tuple[str, ...] = DEFAULT_EXTRA_PREFIXES
    uid_headers: tuple[str, ...] = ()

    def admits(self, common_name: str) -> bool:
        return not self.allowed_names or common_name in self.allowed_names

    def user_of(self, headers: "CIMultiDictProxy[str]") -> User | None:
        """Whom the headers name; None for nobody."""
        name = _first(headers, self.username_headers)
        if not name:
            return None
        groups = (value for header in self.group_headers for value in headers.getall(header, ()) if value)
        return User(name, tuple(groups), _first(headers, self.uid_headers), self._extra(headers))

    def _extra(self, headers: "CIMultiDictProxy[str]") -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for prefix in self.extra_prefixes:
            for header, value in headers.items():
                if header.lower().startswith(prefix.lower()):
                    key = urllib.parse.unquote(header[len(prefix) :].lower())
                    found[key] = (*found.get(key, ()), value)
        return found

    def published(self) -> dict[str, str]:
        """What other servers read in the ConfigMap extension-apiserver-authentication."""
        lists = {
            "requestheader-username-headers": self.username_headers,
            "requestheader-group-headers": self.group_headers,
            "requestheader-extra-headers-prefix": self.extra_prefixes,
            "requestheader-allowed-names": self.allowed_names,
        }
        if self.uid_headers:
            lists["requestheader-uid-headers"] = self.uid_headers
        data = {key: json.dumps(list(names), separators=(",", ":")) for key, names in lists.items()}
        return {**data, "requestheader-client-ca-file": self.authority.decode()}


def _first(headers: "CIMultiDictProxy[str]", names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := headers.get(name, ""))), "")
