"""Opaque configuration as typed Python values: dataclasses in, values or helpful errors out.

    @dataclass
    class GpuConfig:
        sharing: Sharing = field(default_factory=Sharing)

    decoder = ConfigDecoder({("gpu.resource.example.com/v1alpha1", "GpuConfig"): GpuConfig})
    config = decoder.decode(parameters)

Decides how parameters map onto dataclasses: members are camelCase (`timeSlicingConfig` for `time_slicing_config`, or
`metadata={"key": ...}`), unknown members are refused with the nearest known name, enums and optional members are
checked. A dataclass with a method `validate(self)` that raises ValueError has it called last. The same decoder serves
a driver at prepare time and a webhook at admission.
"""

import dataclasses
import difflib
import enum
import functools
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.sdk.errors import ConfigError

_SCALAR_NAMES: Final = {str: "a string", int: "an integer", bool: "a boolean", float: "a number"}


class ConfigDecoder:
    """Decodes parameters of the kinds it was given: (apiVersion, kind) -> dataclass."""

    def __init__(self, kinds: Mapping[tuple[str, str], type]) -> None:
        self.kinds = dict(kinds)

    def decode(self, parameters: Any) -> Any:
        """An instance of the dataclass for the parameters' kind. Raises ConfigError naming the member."""
        if not isinstance(parameters, Mapping):
            raise ConfigError("the parameters are not an object with apiVersion and kind")
        api_version, kind = parameters.get("apiVersion"), parameters.get("kind")
        cls = self.kinds.get((str(api_version), str(kind)))
        if cls is None:
            known = ", ".join(f"{name} of {version}" for version, name in self.kinds)
            raise ConfigError(f"no such configuration: {kind} of {api_version}; this driver knows {known}")
        members = {key: value for key, value in parameters.items() if key not in ("apiVersion", "kind")}
        return from_json(cls, members, kind or "")


def from_json(cls: type, value: Any, path: str) -> Any:
    """`value` as an instance of the dataclass `cls`; `path` names it in errors. Raises ConfigError."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}: expected an object, got {_shown(value)}")
    members = _members(cls)
    arguments = {}
    for key, member in value.items():
        if key not in members:
            raise ConfigError(f"{path}: unknown field {key!r}{_nearest(key, members)}")
        name, annotation = members[key]
        arguments[name] = _convert(annotation, member, f"{path}.{key}")
    try:
        instance = cls(**arguments)
        validate = getattr(instance, "validate", None)
        if validate is not None:
            validate()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return instance


@functools.cache
def _members(cls: type) -> Mapping[str, tuple[str, Any]]:
    """JSON key -> (attribute name, annotation)."""
    hints = typing.get_type_hints(cls)
    return {
        field.metadata.get("key") or _camel(field.name): (field.name, hints[field.name])
        for field in dataclasses.fields(cls)
    }


def _convert(annotation: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = [option for option in typing.get_args(annotation) if option is not type(None)]
        return _convert(inner[0], value, path)
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise ConfigError(f"{path}: expected a list, got {_shown(value)}")
        element = typing.get_args(annotation)[0]
        return origin(_convert(element, item, f"{path}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path}: expected an object, got {_shown(value)}")
        member = typing.get_args(annotation)[1]
        return {key: _convert(member, item, f"{path}.{key}") for key, item in value.items()}
    if annotation is Any:
        return value
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return from_json(annotation, value, path)
    return _scalar(annotation, value, path)


def _scalar(annotation: Any, value: Any, path: str) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        choices = [member.value for member in annotation]
        if value not in choices:
            raise ConfigError(f"{path}: {_shown(value)} is not one of {', '.join(map(str, choices))}")
        return annotation(value)
    matches = isinstance(value, annotation) and (annotation is bool or not isinstance(value, bool))
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not matches:
        raise ConfigError(
            f"{path}: expected {_SCALAR_NAMES.get(annotation, annotation)}, got {_shown(value)}"
        )
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _nearest(key: str, known: Iterable[str]) -> str:
    options = list(known)
    close = difflib.get_close_matches(key, options, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known fields: {', '.join(options)}" if options else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
