"""Probes and lifecycle hooks: exactly one thing to do, and sensible times."""

from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of

SCHEMES = ("HTTP", "HTTPS")

_NOT_NEGATIVE = "must be greater than or equal to 0"
_TIMES = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def validate_probe(probe: Object | None, path: Path) -> list[FieldError]:
    """`path` ends in the probe's field, which tells what kind it is."""
    if probe is None:
        return []
    errors = _validate_handler(probe, ("exec", "httpGet", "tcpSocket", "grpc"), path)
    for field in _TIMES:
        if (probe.get(field) or 0) < 0:
            errors.append(invalid(path.child(field), probe[field], _NOT_NEGATIVE))
    grace, at = probe.get("terminationGracePeriodSeconds"), path.child("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid(at, grace, "must be greater than 0"))
    if str(path).endswith("readinessProbe"):
        if grace is not None:
            errors.append(invalid(at, grace, "must not be set for readinessProbes"))
    elif probe.get("successThreshold") != 1:
        threshold = probe.get("successThreshold") or 0
        errors.append(invalid(path.child("successThreshold"), threshold, "must be 1"))
    return errors


def validate_lifecycle(lifecycle: Object, path: Path, grace_seconds: int | None) -> list[FieldError]:
    """A hook that sleeps must be done within the pod's grace period."""
    errors: list[FieldError] = []
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            kinds = ("exec", "httpGet", "tcpSocket", "sleep")
            errors += _validate_handler(lifecycle[hook], kinds, path.child(hook), grace_seconds)
    return errors


def _validate_handler(
    handler: Object, kinds: tuple[str, ...], path: Path, grace_seconds: int | None = None
) -> list[FieldError]:
    errors: list[FieldError] = []
    present = [kind for kind in kinds if handler.get(kind) is not None]
    if not present:
        return [required(path, "must specify a handler type")]
    for position, kind in enumerate(present):
        if position:
            errors.append(forbidden(path.child(kind), "may not specify more than 1 handler type"))
        else:
            errors += _validate_action(kind, handler[kind], path.child(kind), grace_seconds)
    return errors


def _validate_action(kind: str, action: Object, path: Path, grace_seconds: int | None) -> list[FieldError]:
    if kind == "exec":
        return [] if action.get("command") else [required(path.child("command"))]
    if kind == "httpGet":
        return _validate_http_get(action, path)
    if kind == "sleep":
        seconds = action.get("seconds") or 0
        if grace_seconds is None or 0 <= seconds <= grace_seconds:
            return []
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_seconds})"
        return [invalid(path, seconds, text)]
    return _validate_port(action.get("port"), path.child("port"))


def _validate_http_get(action: Object, path: Path) -> list[FieldError]:
    errors = [] if action.get("path") else [required(path.child("path"))]
    errors += _validate_port(action.get("port"), path.child("port"))
    scheme = action.get("scheme") or ""
    if scheme not in SCHEMES:
        errors.append(not_supported(path.child("scheme"), scheme, SCHEMES))
    for header in items_of(action.get("httpHeaders")):
        name = header.get("name") or ""
        errors += [invalid(path.child("httpHeaders"), name, text) for text in _header_problems(name)]
    return errors


def _header_problems(name: str) -> list[str]:
    if name and all(char.isascii() and (char.isalnum() or char == "-") for char in name):
        return []
    return [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
        "validation is '[-A-Za-z0-9]+')"
    ]


def _validate_port(port: Any, path: Path) -> list[FieldError]:
    if isinstance(port, str):
        return [invalid(path, port, text) for text in names.port_name(port)]
    return [invalid(path, port or 0, text) for text in names.port_number(port or 0)]
