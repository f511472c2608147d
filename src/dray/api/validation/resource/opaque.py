"""Opaque driver configuration: any JSON object of limited size, for one driver."""

from typing import Any

from dray.api.fields import FieldError, Path, invalid, required, too_long
from dray.api.meta import Object
from dray.api.schema.raw_values import size_of
from dray.api.validation.resource.naming import validate_driver

PARAMETERS_MAX_BYTES = 10 * 1024
OMITTED = "<value omitted>"


def validate_device_configuration(config: Object, path: Path, *, stored: bool) -> list[FieldError]:
    """`opaque` is the one kind of configuration there is. `stored` parameters may be longer than the limit."""
    opaque = config.get("opaque")
    at = path.child("opaque")
    if opaque is None:
        return [required(at)]
    errors = validate_driver(opaque.get("driver") or "", at.child("driver"))
    return errors + _validate_parameters(opaque.get("parameters"), at.child("parameters"), stored=stored)


def _validate_parameters(parameters: Any, path: Path, *, stored: bool) -> list[FieldError]:
    if parameters is None:
        return [required(path)]
    return validate_raw_object(parameters, path, limit=None if stored else PARAMETERS_MAX_BYTES)


def validate_raw_object(value: Any, path: Path, *, limit: int | None) -> list[FieldError]:
    """A runtime.RawExtension must hold a JSON object; its content is never shown."""
    if limit is not None and size_of(value) > limit:
        return [too_long(path, limit)]
    if not isinstance(value, dict):
        return [invalid(path, OMITTED, "must be a valid JSON object")]
    return []
