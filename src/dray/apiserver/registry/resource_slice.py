"""ResourceSlice: the devices of a driver's pool, or a part of them."""

import datetime as dt
from collections.abc import Sequence

from dray.api.conversion.resource import slice_from_hub, slice_to_hub
from dray.api.fields import FieldError
from dray.api.meta import Object, format_time
from dray.api.resources import RESOURCE_SLICES
from dray.api.validation.lists import items_of
from dray.api.validation.resource.slice import SliceRules, validate_slice_spec
from dray.api.validation.sameness import same
from dray.apiserver.registry.columns import AGE, NAME, at, find
from dray.apiserver.registry.dra import DEPRECATED, VERSIONS, worded
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.slice_gates import drop_disabled_slice_fields
from dray.apiserver.registry.writes import old_of


def stamp_taint(taint: Object | None, now: dt.datetime) -> None:
    """A taint without a time was added now."""
    if taint and not taint.get("timeAdded"):
        taint["timeAdded"] = format_time(now)


def _default(obj: Object, version: str) -> None:
    for device in items_of((obj.get("spec") or {}).get("devices")):
        part = (device.get("basic") or {}) if version == "v1beta1" else device
        for mapping in (part.get("nodeAllocatableResourceMappings") or {}).values():
            if mapping is not None and mapping.get("allocationMultiplier") is None:
                mapping["allocationMultiplier"] = "1"


def _drop_empty_list(spec: Object) -> None:
    """Decoding keeps `[]`, since devices and sharedCounters exclude each other even when empty; alone it is nothing."""
    for name, other in (("devices", "sharedCounters"), ("sharedCounters", "devices")):
        if spec.get(name) == [] and other not in spec:
            del spec[name]


def _complete(context: WriteContext, obj: Object) -> None:
    """What is nothing is owned by nobody."""
    _drop_empty_list(obj.get("spec") or {})


def _stamp_taints(context: WriteContext, spec: Object) -> None:
    for device in items_of(spec.get("devices")):
        for taint in device.get("taints") or ():
            stamp_taint(taint, context.now)


def _prepare_create(context: WriteContext, obj: Object) -> None:
    spec = obj.get("spec") or {}
    drop_disabled_slice_fields(context.features, spec, None)
    _drop_empty_list(spec)
    _stamp_taints(context, spec)


def _prepare_update(context: WriteContext, obj: Object) -> None:
    """What is left out counts as a change nevertheless."""
    spec = obj.get("spec") or {}
    before = old_of(context)
    if not same(spec, before.get("spec") or {}):
        obj["metadata"]["generation"] = int(before["metadata"].get("generation") or 0) + 1
    drop_disabled_slice_fields(context.features, spec, old_of(context).get("spec") or {})
    _drop_empty_list(spec)
    _stamp_taints(context, spec)


def _rules(context: WriteContext) -> SliceRules:
    features = context.features
    return SliceRules(
        features.enabled("DRAFractionalCapacityRange"),
        features.reaches("1.37"),
    )


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    found = validate_slice_spec(obj.get("spec") or {}, None, _rules(context))
    return worded(context.features, found, obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    spec, old = obj.get("spec") or {}, old_of(context).get("spec") or {}
    return worded(context.features, validate_slice_spec(spec, old, _rules(context)), obj)


def _warnings(context: WriteContext, obj: Object) -> Sequence[str]:
    driver = find(obj, "spec", "driver", default="")
    if driver == driver.lower():
        return ()
    return (f'spec.driver: driver names should be lowercase; "{driver}" contains uppercase characters',)


RESOURCE_SLICE = Kind(
    RESOURCE_SLICES,
    singular="resourceslice",
    versions=VERSIONS,
    deprecated=DEPRECATED,
    returns_deleted=True,
    columns=(
        NAME,
        Column("Node", at("spec", "nodeName"), description="The node that alone reaches the devices."),
        Column("Driver", at("spec", "driver"), description="The driver that offers the devices."),
        Column("Pool", at("spec", "pool", "name"), description="The pool that the devices belong to."),
        AGE,
    ),
    default=_default,
    to_hub=slice_to_hub,
    from_hub=slice_from_hub,
    complete=_complete,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    warnings=_warnings,
    has_generation=True,
    counts_as_sent=True,
    unknown_field_text="field label not supported for {version}, Kind=ResourceSlice: {field}",
    field_labels={
        "spec.nodeName": lambda obj: find(obj, "spec", "nodeName", default=""),
        "spec.driver": lambda obj: find(obj, "spec", "driver", default=""),
        "spec.pool.name": lambda obj: find(obj, "spec", "pool", "name", default=""),
    },
    brought_by={"spec.pool.name": "1.37"},
)
