"""Ingress and IngressClass: hosts, paths and backends of the one, controller and parameters of the other."""

from collections.abc import Iterator
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required, too_long
from dray.api.meta import Object
from dray.api.validation.addresses import parse_address, validate_address
from dray.api.validation.domain_names import validate_prefixed_path, wildcard_subdomain
from dray.api.validation.lists import items_of

CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_SPEC: Final = Path("spec")
_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_WITHIN: Final = ("//", "/./", "/../", "%2f", "%2F")
_AT_END: Final = ("/..", "/.")
_CONTROLLER_MAX: Final = 250
_NO_ADDRESS: Final = "must be a DNS name, not an IP address"


def validate_ingress(obj: Object, old: Object | None = None) -> list[FieldError]:
    """What an ingress says already, it may go on saying: bad names of secrets, and bad rules of wildcards."""
    spec = obj.get("spec") or {}
    rules = items_of(spec.get("rules"))
    errors: list[FieldError] = []
    if not rules and spec.get("defaultBackend") is None:
        shown: list[Object] | None = None if spec.get("rules") is None else []
        errors.append(invalid(_SPEC, shown, "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend") is not None:
        errors += _validate_backend(spec["defaultBackend"], _SPEC.child("defaultBackend"))
    may_be_bad = old is not None and any(_wildcard_findings(old))
    for index, rule in enumerate(rules):
        errors += _validate_rule(rule, _SPEC.child("rules").index(index), may_be_bad=may_be_bad)
    stored = items_of(((old or {}).get("spec") or {}).get("tls"))
    may_be_bad = any(_secret_problems(secure) for secure in stored)
    for index, secure in enumerate(items_of(spec.get("tls"))):
        errors += _validate_tls(secure, _SPEC.child("tls").index(index), may_be_bad=may_be_bad)
    name = spec.get("ingressClassName")
    if name is not None:
        errors += [invalid(_SPEC.child("ingressClassName"), name, text) for text in names.dns_subdomain(name)]
    return errors


def validate_ingress_annotation(obj: Object) -> list[FieldError]:
    """A new ingress may name its class in two places, but not two classes."""
    told = (obj["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    name = (obj.get("spec") or {}).get("ingressClassName")
    if told is None or name is None or told == name:
        return []
    text = "must match `ingressClassName` when both are specified"
    return [invalid(Path("annotations").child(CLASS_ANNOTATION), told, text)]


def validate_ingress_status(obj: Object) -> list[FieldError]:
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    errors: list[FieldError] = []
    for index, point in enumerate(items_of(points)):
        at = Path("status.loadBalancer.ingress").index(index)
        address, host = point.get("ip") or "", point.get("hostname") or ""
        errors += validate_address(address, at.child("ip")) if address else []
        if host:
            errors += [invalid(at.child("hostname"), host, text) for text in names.dns_subdomain(host)]
            if parse_address(host):
                errors.append(invalid(at.child("hostname"), host, _NO_ADDRESS))
    return errors


def _validate_rule(rule: Object, path: Path, *, may_be_bad: bool) -> list[FieldError]:
    """`may_be_bad`: wildcards with paths that are wrong are stored already."""
    host, at = rule.get("host") or "", path.child("host")
    errors = [invalid(at, host, _NO_ADDRESS)] if host and parse_address(host) else []
    problems = wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host) if host else []
    errors += [invalid(at, host, text) for text in problems]
    if "*" in host and may_be_bad:
        return errors
    return errors + _validate_paths(rule.get("http"), path.child("http"))


def _wildcard_findings(ingress: Object) -> Iterator[FieldError]:
    for rule in items_of((ingress.get("spec") or {}).get("rules")):
        if "*" in (rule.get("host") or ""):
            yield from _validate_paths(rule.get("http"), _SPEC)


def _validate_paths(http: Object | None, path: Path) -> list[FieldError]:
    if http is None:
        return []
    at, found = path.child("paths"), items_of(http.get("paths"))
    errors = [] if found else [required(at)]
    for index, one in enumerate(found):
        errors += _validate_path(one, at.index(index))
    return errors


def _validate_path(path: Object, at: Path) -> list[FieldError]:
    kind, text, where = path.get("pathType"), path.get("path") or "", at.child("path")
    if kind is None:
        return [required(at.child("pathType"), "pathType must be specified")]
    errors: list[FieldError] = []
    if kind not in _PATH_TYPES:
        errors.append(not_supported(at.child("pathType"), kind, _PATH_TYPES))
    elif (text or kind != "ImplementationSpecific") and not text.startswith("/"):
        errors.append(invalid(where, text, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        errors += [invalid(where, text, f"must not contain '{part}'") for part in _WITHIN if part in text]
        errors += [invalid(where, text, f"cannot end with '{end}'") for end in _AT_END if text.endswith(end)]
    return errors + _validate_backend(path.get("backend") or {}, at.child("backend"))


def _validate_backend(backend: Object, path: Path) -> list[FieldError]:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _validate_reference(resource, path.child("resource"))
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    at, name = path.child("service", "name"), service.get("name") or ""
    errors = [invalid(at, name, text) for text in names.dns_label(name)] if name else [required(at)]
    return errors + _validate_port(service.get("port") or {}, path)


def _validate_port(port: Object, path: Path) -> list[FieldError]:
    name, number, at = port.get("name") or "", port.get("number") or 0, path.child("service", "port")
    if name and number:
        return [invalid(path, "", "cannot set both port name & port number")]
    if name:
        return [invalid(at.child("name"), name, text) for text in names.port_name(name)]
    if number:
        return [invalid(at.child("number"), number, text) for text in names.port_number(number)]
    return [required(path, "port name or number is required")]


def _validate_reference(reference: Object, path: Path) -> list[FieldError]:
    """An object of any kind, in the same namespace or in none."""
    errors: list[FieldError] = []
    if (group := reference.get("apiGroup")) is not None:
        errors += [invalid(path.child("apiGroup"), group, text) for text in names.dns_subdomain(group)]
    for field in ("kind", "name"):
        value, at = reference.get(field) or "", path.child(field)
        errors += (
            [invalid(at, value, text) for text in names.path_segment(value)] if value else [required(at)]
        )
    return errors


def _validate_tls(secure: Object, path: Path, *, may_be_bad: bool) -> list[FieldError]:
    """`may_be_bad`: names of secrets that are wrong are stored already."""
    errors: list[FieldError] = []
    for index, host in enumerate(secure.get("hosts") or ()):
        rule = wildcard_subdomain if "*" in (host or "") else names.dns_subdomain
        errors += [invalid(path.child("hosts").index(index), host or "", text) for text in rule(host or "")]
    if not may_be_bad:
        at = path.child("secretName")
        errors += [invalid(at, secure["secretName"], text) for text in _secret_problems(secure)]
    return errors


def _secret_problems(secure: Object) -> list[str]:
    return names.dns_subdomain(secure["secretName"]) if secure.get("secretName") else []


def validate_ingress_class(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    controller, at = spec.get("controller") or "", _SPEC.child("controller")
    errors = [too_long(at, _CONTROLLER_MAX)] if names.byte_length(controller) > _CONTROLLER_MAX else []
    errors += validate_prefixed_path(controller, at)
    parameters, at = spec.get("parameters"), _SPEC.child("parameters")
    if parameters is None:
        return errors
    return errors + _validate_reference(parameters, at) + _validate_scope(parameters, at)


def _validate_scope(parameters: Object, path: Path) -> list[FieldError]:
    scope, namespace, at = parameters.get("scope"), parameters.get("namespace"), path.child("namespace")
    if scope is None:
        return [required(path.child("scope"))]
    if scope not in ("Cluster", "Namespace"):
        return [not_supported(path.child("scope"), scope, ("Cluster", "Namespace"), is_plain=True)]
    if scope == "Cluster":
        text = "`parameters.scope` is set to 'Cluster'"
        return [forbidden(at, text)] if namespace is not None else []
    if namespace is None:
        return [required(at, "`parameters.scope` is set to 'Namespace'")]
    return [invalid(at, namespace, text) for text in names.dns_label(namespace)]
