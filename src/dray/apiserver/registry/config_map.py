"""ConfigMap and Secret: keyed data, optionally frozen."""

import base64

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import CONFIG_MAPS, SECRETS
from dray.api.validation.core.keyed_data import (
    validate_config_map,
    validate_config_map_update,
    validate_secret,
    validate_secret_update,
)
from dray.apiserver.registry.columns import AGE, NAME, at
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.writes import old_of


def _entries(obj: Object) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


_DATA = Column("Data", lambda obj, now: _entries(obj), description="How many entries it has.")


def _validate_config_map(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_config_map(obj)


def _validate_config_map_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_config_map_update(obj, old_of(context))


def _default_secret(obj: Object, version: str) -> None:
    if not obj.get("type"):
        obj["type"] = "Opaque"


def _take_string_data(obj: Object, version: str) -> Object:
    """`stringData` is for writing only: it becomes data, in the form data has."""
    texts = obj.pop("stringData", None)
    if texts:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    return obj


def _validate_secret(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_secret(obj)


def _validate_secret_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_secret_update(obj, old_of(context))


CONFIG_MAP = Kind(
    CONFIG_MAPS,
    singular="configmap",
    short_names=("cm",),
    columns=(NAME, _DATA, AGE),
    validate_create=_validate_config_map,
    validate_update=_validate_config_map_update,
    metadata_checks=("change", "whole"),
)

SECRET = Kind(
    SECRETS,
    singular="secret",
    columns=(NAME, Column("Type", at("type"), description="What the secret is for."), _DATA, AGE),
    default=_default_secret,
    to_hub=_take_string_data,
    validate_create=_validate_secret,
    validate_update=_validate_secret_update,
    metadata_checks=("change", "whole"),
    field_labels={"type": lambda obj: obj.get("type") or ""},
)
