"""Ingress and IngressClass: how requests from outside reach services; kept and shown, but nothing here routes."""

import datetime as dt

from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.resources import INGRESSES, Resource
from dray.api.validation.core.ingress import (
    CLASS_ANNOTATION,
    validate_ingress,
    validate_ingress_annotation,
    validate_ingress_class,
    validate_ingress_status,
)
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, NONE, at, find, joined
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status, old_of

INGRESS_CLASSES = Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", False)

_SHOWN_HOSTS = 3


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_ingress(obj) + validate_ingress_annotation(obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_ingress(obj, old_of(context))


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_ingress_status(obj)


def _class(obj: Object, now: dt.datetime) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return find(obj, "spec", "ingressClassName") or annotations.get(CLASS_ANNOTATION) or NONE


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
    if context.old is not None or CLASS_ANNOTATION not in (obj["metadata"].get("annotations") or {}):
        return []
    return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


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
    validate_update=_validate_update,
    metadata_checks=("change", "whole"),
    status=StatusStrategy(keep_spec, _validate_status),
    has_generation=True,
    warnings=_warnings,
)


def _parameters(obj: Object, now: dt.datetime) -> str:
    reference = find(obj, "spec", "parameters")
    if not reference:
        return NONE
    kind = joined([part for part in (reference.get("kind"), reference.get("apiGroup")) if part], ".")
    return f"{kind}/{reference.get('name', '')}"


def _default_class(obj: Object, version: str) -> None:
    parameters = find(obj, "spec", "parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def _validate_class(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_ingress_class(obj)


def _validate_class_update(context: WriteContext, obj: Object) -> list[FieldError]:
    path = Path("spec.controller")
    now, before = (find(each, "spec", "controller", default="") for each in (obj, old_of(context)))
    changed = immutable(now, before, path)
    return changed + validate_ingress_class(obj)


INGRESS_CLASS = Kind(
    INGRESS_CLASSES,
    singular="ingressclass",
    columns=(
        NAME,
        Column("Controller", at("spec", "controller"), description="Who routes for the class."),
        Column("Parameters", _parameters, description="Its settings."),
        AGE,
    ),
    default=_default_class,
    validate_create=_validate_class,
    validate_update=_validate_class_update,
    metadata_checks=("change", "whole"),
    has_generation=True,
)
