"""Where the JSON form of a Kubernetes message differs from its protobuf fields.

Decides three things the field table alone cannot say: which messages are written as one JSON value (times,
quantities, ...), which member messages are flattened into their parent (Go's embedded structs), and, from the kinds'
schemas, which zero values mean "not set". The protobuf form of Kubernetes always carries fields that are not Go
pointers, even when they are empty; the JSON form leaves them out, and defaulting and validation rely on that.

The flattened and renamed members were found by comparing every message with the published OpenAPI of Kubernetes 1.37.
"""

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from dray.api.schema.later import later_fields
from dray.api.schema.registry import PACKAGES, types_of

META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS: Final = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions."

ABSENT: Final = object()
"""The message stands for no value: its key is left out."""

FLATTENED: Final[frozenset[tuple[str, str]]] = frozenset(
    {
        ("NamedRuleWithOperations", "ruleWithOperations"),
        ("RuleWithOperations", "rule"),
        ("ConfigMapEnvSource", "localObjectReference"),
        ("ConfigMapKeySelector", "localObjectReference"),
        ("ConfigMapProjection", "localObjectReference"),
        ("ConfigMapVolumeSource", "localObjectReference"),
        ("SecretEnvSource", "localObjectReference"),
        ("SecretKeySelector", "localObjectReference"),
        ("SecretProjection", "localObjectReference"),
        ("EphemeralContainer", "ephemeralContainerCommon"),
        ("PersistentVolumeSpec", "persistentVolumeSource"),
        ("Probe", "handler"),
        ("Volume", "volumeSource"),
        ("IngressRule", "ingressRuleValue"),
        ("DeviceAllocationConfiguration", "deviceConfiguration"),
        ("DeviceClaimConfiguration", "deviceConfiguration"),
        ("DeviceClassConfiguration", "deviceConfiguration"),
    }
)
"""(message, member): the member's own members are written directly into the message. Names without package."""

RENAMED: Final[Mapping[tuple[str, str], str]] = {
    ("MutatingWebhookConfiguration", "Webhooks"): "webhooks",
    ("ValidatingWebhookConfiguration", "Webhooks"): "webhooks",
    ("Validation", "Expression"): "expression",
    ("Variable", "Expression"): "expression",
    ("Variable", "Name"): "name",
    ("BoundObjectReference", "uID"): "uid",
    ("IngressClassParametersReference", "aPIGroup"): "apiGroup",
    ("JSONSchemaProps", "ref"): "$ref",
    ("JSONSchemaProps", "schema"): "$schema",
    ("JSONSchemaProps", "xKubernetesEmbeddedResource"): "x-kubernetes-embedded-resource",
    ("JSONSchemaProps", "xKubernetesIntOrString"): "x-kubernetes-int-or-string",
    ("JSONSchemaProps", "xKubernetesListMapKeys"): "x-kubernetes-list-map-keys",
    ("JSONSchemaProps", "xKubernetesListType"): "x-kubernetes-list-type",
    ("JSONSchemaProps", "xKubernetesMapType"): "x-kubernetes-map-type",
    ("JSONSchemaProps", "xKubernetesPreserveUnknownFields"): "x-kubernetes-preserve-unknown-fields",
    ("JSONSchemaProps", "xKubernetesValidations"): "x-kubernetes-validations",
}
"""(message, protobuf member) -> JSON key, where the two differ by more than the usual rule."""

_WITHOUT_OWN_TYPE: Final[Mapping[str, str]] = {
    "EphemeralContainerCommon": "EphemeralContainer",
    "Rule": "RuleWithOperations",
}
"""Messages whose members JSON knows only in the type that they are written into."""


def is_unset(message: str, member: str, value: Any) -> bool:
    """Whether an empty `value` is one that the JSON form leaves out. `message` is the full name.

    Behind a Go pointer a zero is a value of its own ("no class", "the core group"); a plain one is what an absent key
    means, unless JSON always writes the key; structs are written even when empty. Of types that nothing here serves, only empty texts are left out.
    """
    if isinstance(value, dict | list):
        return False
    kept = _kept_zeros(message)
    return value == "" if kept is None else member not in kept


@functools.cache
def _kept_zeros(message: str) -> frozenset[str] | None:
    flags = flags_of(message)
    if flags is None:
        return None
    return frozenset(name for name, said in flags.items() if "p" in said or "k" in said)


@functools.cache
def flags_of(message: str) -> Mapping[str, str] | None:
    """Of each field what its schema says, as the flags "r" (required), "p" (pointer), "k" (always written).

    None for a type that has no schema.
    """
    path, _, name = message.rpartition(".")
    package = "/".join(path.split(".")[-2:])
    if package not in PACKAGES.values():
        return None
    known = _WITHOUT_OWN_TYPE.get(name, name)
    definition = types_of(package).get(known)
    if definition is None:
        return None
    later = {field: flags for field, (_, _, flags, _) in later_fields(package, known).items()}
    return {row[0]: row[2] for row in definition["fields"]} | later


_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by definition of the message; printed with "Z"

Encapsulate = Callable[[dict[str, Any]], Any]
"""Turns the members of one message (bytes as they came) into the JSON value it stands for. Raises ValueError."""


def _time(members: dict[str, Any]) -> Any:
    if not members:
        return ABSENT
    return _moment(members.get("seconds", 0), 0, "seconds")


def _micro_time(members: dict[str, Any]) -> Any:
    if not members:
        return ABSENT
    return _moment(members.get("seconds", 0), members.get("nanos", 0) // 1000, "microseconds")


def _moment(seconds: int, microseconds: int, precision: str) -> str:
    try:
        moment = _EPOCH + dt.timedelta(seconds=seconds, microseconds=microseconds)
        return moment.isoformat(timespec=precision) + "Z"
    except OverflowError:
        raise ValueError(f"time {seconds} s is outside the years 1 to 9999") from None


def _quantity(members: dict[str, Any]) -> Any:
    return members.get("string") or "0"


def _int_or_string(members: dict[str, Any]) -> Any:
    if members.get("type", 0) == 1:
        return members.get("strVal", "")
    return members.get("intVal", 0)


def _duration(members: dict[str, Any]) -> Any:
    return format_duration(members.get("duration", 0))


def _raw_json(members: dict[str, Any]) -> Any:
    encoded = members.get("raw") or members.get("Raw")
    if not encoded:
        return ABSENT
    try:
        return orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"embedded JSON is malformed: {error}") from None


def _items(members: dict[str, Any]) -> Any:
    return members.get("items", [])


def _schema_or_bool(members: dict[str, Any]) -> Any:
    return members["schema"] if "schema" in members else members.get("allows", False)


def _schema_or_array(members: dict[str, Any]) -> Any:
    return members["schema"] if "schema" in members else members.get("jSONSchemas", [])


def _schema_or_strings(members: dict[str, Any]) -> Any:
    return members["schema"] if "schema" in members else members.get("property", [])


SINGLE_VALUE: Final[Mapping[str, Encapsulate]] = {
    META + "Time": _time,
    META + "MicroTime": _micro_time,
    META + "Duration": _duration,
    META + "FieldsV1": _raw_json,
    META + "Verbs": _items,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw_json,
    **{
        f"k8s.io.api.{package}.ExtraValue": _items
        for group in ("authentication", "authorization", "certificates")
        for package in (f"{group}.v1", f"{group}.v1beta1")
    },
    **{
        f"{_EXTENSIONS}{version}.{name}": encapsulate
        for version in ("v1", "v1beta1")
        for name, encapsulate in (
            ("JSON", _raw_json),
            ("JSONSchemaPropsOrBool", _schema_or_bool),
            ("JSONSchemaPropsOrArray", _schema_or_array),
            ("JSONSchemaPropsOrStringArray", _schema_or_strings),
        )
    },
}
"""Full message name -> how it becomes one JSON value."""


def format_duration(nanoseconds: int) -> str:
    """A Go duration: `1h0m0s`, `1.5s`, `250ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if rest >= size:
                return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).zfill(len(str(unit)) - 1).rstrip('0')}"
