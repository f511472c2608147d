"""Ingress and IngressClass: how requests from outside reach services; kept and shown, but nothing here routes."""

import datetime as dt

from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.resources import INGRESSES, Resource
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, NONE, at, find, joined
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status, old_of

INGRESS_CLASSES = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", False)

_SPEC = Path("spec")
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_SHOWN_HOSTS = 3
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors: list[FieldError] = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        errors.append(invalid(_SPEC, [], "either `defaultBackend` or `rules` must be specified"))
    for number, rule in enumerate(spec.get("rules") or ()):
        at_rule = _SPEC.child("rules").index(number).child("http")
        paths = find(rule, "http", "paths")
        if rule.get("http") is not None and not paths:
            errors.append(required(at_rule.child("paths")))
        for position, path in enumerate(paths or ()):
            errors += _validate_path(path, at_rule.child("paths").index(position))
    return errors


def _validate_path(path: Object, at_path: Path) -> list[FieldError]:
    kind = path.get("pathType")
    if not kind:
        return [required(at_path.child("pathType"), "pathType must be specified")]
    if kind not in _PATH_TYPES:
        return [not_supported(at_path.child("pathType"), kind, _PATH_TYPES)]
    text = path.get("path") or ""
    if kind != "ImplementationSpecific" and not text.startswith("/"):
        return [invalid(at_path.child("path"), text, "must be an absolute path")]
    return []


def _class(obj: Object, now: dt.datetime) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return find(obj, "spec", "ingressClassName") or annotations.get(_CLASS_ANNOTATION) or NONE


def _hosts(obj: Object, now: dt.datetime) -> str:
    hosts = [rule["host"] for rule in find(obj, "spec", "rules", default=()) if rule.get("host")]
    if not hosts:
        return "*"
    more = len(hosts) - _SHOWN_HOSTS
    text = joined(hosts[:_SHOWN_HOSTS])
    return f"{text} + {more} more..." if more > 0 else text


def _addresses(obj: Object, now: dt.datetime) -> str:
    points = find(obj, "status", "loadBalancer", "ingress", default=())
    return joined(point.get("ip") or point.get("hostname") or "" for point in points)


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    if context.old is not None or _CLASS_ANNOTATION not in (obj["metadata"].get("annotations") or {}):
        return []
    return [f"annotation \"{_CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


INGRESS = Kind(
    INGRESSES,
    singular="ingress",
    short_names=("ing",),
    columns=(
        NAME,
        Column("Class", _class, description="Who routes."),
        Column("Hosts", _hosts, description="Names that are routed."),
        Column("Address", _addresses, description="Where requests arrive."),
        Column(
            "Ports",
            lambda obj, now: "80, 443" if find(obj, "spec", "tls") else "80",
            description="Ports that are open.",
        ),
        AGE,
    ),
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate,
    validate_update=_validate,
    status=StatusStrategy(keep_spec),
    has_generation=True,
    warnings=_warnings,
)


def _parameters(obj: Object, now: dt.datetime) -> str:
    reference = find(obj, "spec", "parameters")
    if not reference:
        return NONE
    kind = joined([part for part in (reference.get("kind"), reference.get("apiGroup")) if part], ".")
    return f"{kind}/{reference.get('name', '')}"


def _validate_class(context: WriteContext, obj: Object) -> list[FieldError]:
    controller = find(obj, "spec", "controller", default="")
    if "/" in controller:
        return []
    text = 'must be a domain-prefixed path (such as "acme.io/foo")'
    return (
        [invalid(_SPEC.child("controller"), controller, text)]
        if controller
        else [required(_SPEC.child("controller"))]
    )


def _validate_class_update(context: WriteContext, obj: Object) -> list[FieldError]:
    path = _SPEC.child("controller")
    return immutable(find(obj, "spec", "controller"), find(old_of(context), "spec", "controller"), path)


INGRESS_CLASS = Kind(
    INGRESS_CLASSES,
    singular="ingressclass",
    columns=(
        NAME,
        Column("Controller", at("spec", "controller"), description="Who routes for the class."),
        Column("Parameters", _parameters, description="Its settings."),
        AGE,
    ),
    validate_create=_validate_class,
    validate_update=_validate_class_update,
    has_generation=True,
)
