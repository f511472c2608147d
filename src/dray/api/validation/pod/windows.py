"""What only containers of Windows have: accounts, their credentials, and processes on the host."""

import re
from collections.abc import Iterator
from typing import Final

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_SPEC_MAX_KIB: Final = 64
_DOMAIN_MAX: Final = 256
_USER_MAX: Final = 104
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.\-]{0,14}")
_DNS: Final = re.compile(
    r"[a-zA-Z0-9](?:[a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?)*"
)
_NOT_IN_USER: Final = re.compile(r'["/\\:;|=,+*?<>@\[\]]')
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")


def validate_windows_options(options: Object | None, path: Path) -> list[FieldError]:
    if options is None:
        return []
    errors: list[FieldError] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        at = path.child("gmsaCredentialSpecName")
        errors += [invalid(at, Choice(name), text) for text in names.dns_subdomain(name)]
    if (credentials := options.get("gmsaCredentialSpec")) is not None:
        errors += _validate_credentials(credentials, path.child("gmsaCredentialSpec"))
    if (user := options.get("runAsUserName")) is not None:
        at = path.child("runAsUserName")
        errors += [invalid(at, Choice(user), f"runAsUserName{text}") for text in _problems(user)]
    return errors


def _validate_credentials(credentials: str, path: Path) -> list[FieldError]:
    if not credentials:
        return [invalid(path, Choice(credentials), "gmsaCredentialSpec cannot be an empty string")]
    if names.byte_length(credentials) > _SPEC_MAX_KIB * 1024:
        text = f"gmsaCredentialSpec size must be under {_SPEC_MAX_KIB} KiB"
        return [invalid(path, Choice(credentials), text)]
    return []


def _problems(name: str) -> Iterator[str]:
    """With `DOMAIN\\USER`, or a user alone."""
    if not name:
        yield " cannot be an empty string"
        return
    if _CONTROL.search(name):
        yield " cannot contain control characters"
    if name.count("\\") > 1:
        yield " cannot contain more than one backslash"
        return
    domain, slash, user = name.rpartition("\\")
    if names.byte_length(domain) >= _DOMAIN_MAX:
        yield f"'s Domain length must be under {_DOMAIN_MAX} characters"
    if slash and not _NET_BIOS.fullmatch(domain) and not _DNS.fullmatch(domain):
        yield "'s Domain doesn't match the NetBios nor the DNS format"
    if not user:
        yield "'s User cannot be empty"
    elif names.byte_length(user) > _USER_MAX:
        yield f"'s User length must not be longer than {_USER_MAX} characters"
    if _NOT_IN_USER.search(user):
        yield "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"
    elif user and not user.strip(". "):
        yield "'s User cannot contain only periods or spaces"


def validate_host_processes(spec: Object, path: Path) -> list[FieldError]:
    """A pod runs on the host with all its containers, and on the host's network, or with none."""
    of_pod = _on_host(spec)
    each = [_on_host(container) for field in _CONTAINERS for container in items_of(spec.get(field))]
    said = [of_pod if one is None else one for one in each]
    errors: list[FieldError] = []
    if of_pod is not None:
        for field in _CONTAINERS:
            for index, container in enumerate(items_of(spec.get(field))):
                own = _on_host(container)
                if own is not None and own != of_pod:
                    at = (
                        path.child(field)
                        .index(index)
                        .child("securityContext", "windowsOptions", "hostProcess")
                    )
                    text = f"pod hostProcess value must be identical if both are specified, was {str(of_pod).lower()}"
                    errors.append(invalid(at, own, text))
    if any(said):
        if not all(said):
            text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
            errors.append(invalid(path, "", text))
        if not spec.get("hostNetwork"):
            text = "hostNetwork must be true if pod contains any hostProcess containers"
            errors.append(invalid(path.child("hostNetwork"), False, text))
    return errors


def _on_host(holder: Object) -> bool | None:
    options = (holder.get("securityContext") or {}).get("windowsOptions") or {}
    value: bool | None = options.get("hostProcess")
    return value
