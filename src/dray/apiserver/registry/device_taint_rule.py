"""DeviceTaintRule: an administrator's taint on devices, without asking their driver."""

import datetime as dt

from dray.api.conversion.resource import same_from_hub, same_to_hub
from dray.api.duration import age
from dray.api.fields import FieldError
from dray.api.meta import Object, format_time
from dray.api.resources import DEVICE_TAINT_RULES
from dray.api.validation.resource.taint_rule import validate_taint_rule_spec, validate_taint_rule_status
from dray.apiserver.registry.columns import AGE, NAME, at, find
from dray.apiserver.registry.kind import Column, Deprecation, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.resource_slice import stamp_taint
from dray.apiserver.registry.writes import clear_status, keep_all_but_status, keep_status, old_of


def _taint(obj: Object) -> Object:
    return find(obj, "spec", "taint", default={})  # type: ignore[no-any-return]


def _complete(context: WriteContext, obj: Object) -> None:
    """So the time is owned by who writes the rule, though not by who applies it."""
    stamp_taint(_taint(obj), context.now)


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    obj.setdefault("spec", {}).setdefault("taint", {})
    stamp_taint(_taint(obj), context.now)


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    new, old = _taint(obj), _taint(old_of(context))
    stamp_taint(new, context.now)
    # Another effect starts anew; whoever sent the stored time back did not mean it for the new effect.
    if new.get("effect") != old.get("effect") and new.get("timeAdded") == old.get("timeAdded"):
        new["timeAdded"] = format_time(context.now)


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_taint_rule_spec(obj.get("spec") or {}, None)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_taint_rule_spec(obj.get("spec") or {}, old_of(context).get("spec") or {})


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_taint_rule_status(obj.get("status") or {})


def _time_added(obj: Object, now: dt.datetime) -> str:
    added = _taint(obj).get("timeAdded")
    return age(added, now) if added else ""


DEVICE_TAINT_RULE = Kind(
    DEVICE_TAINT_RULES,
    singular="devicetaintrule",
    versions=("v1", "v1beta2", "v1alpha3"),
    brought_by={"v1": "1.37", "v1beta2": "1.36"},
    deprecated={"v1beta2": Deprecation("1.39", "1.42"), "v1alpha3": Deprecation("1.36", "1.39")},
    returns_deleted=True,
    columns=(
        NAME,
        Column("Key", at("spec", "taint", "key"), description="Key of the taint."),
        Column("Value", at("spec", "taint", "value"), description="Value of the taint."),
        Column("Effect", at("spec", "taint", "effect"), description="What the taint does to pods."),
        Column("TimeAdded", _time_added, description="Time since the taint was added."),
        AGE,
    ),
    to_hub=same_to_hub("v1beta2"),
    from_hub=same_from_hub,
    complete=_complete,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    status=StatusStrategy(keep_all_but_status, _validate_status),
    has_generation=True,
)
