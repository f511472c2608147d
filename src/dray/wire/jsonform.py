"""Where the JSON form of a Kubernetes message differs from its protobuf fields.

Decides three things the field table alone cannot say: which messages are written as one JSON value (times,
quantities, ...), which member messages are flattened into their parent (Go's embedded structs), and which zero
values mean "not set". The protobuf form of Kubernetes always carries fields that are not Go pointers, even when they
are empty; the JSON form leaves them out, and defaulting and validation rely on that.

The flattened and renamed members were found by comparing every message with the published OpenAPI of Kubernetes 1.37.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

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

_MEANINGFUL_EMPTY: Final = frozenset(
    {
        # Go pointers to strings: "" is a value of its own ("no class", "the core group", an empty attribute).
        ("PersistentVolumeClaimSpec", "storageClassName"),
        ("PersistentVolumeClaimSpec", "volumeAttributesClassName"),
        ("DeviceAttribute", "string"),
        ("DeviceAttribute", "version"),
        # Plain strings that JSON always writes.
        ("Taint", "value"),
    }
)

_ZERO_IS_UNSET: Final = frozenset(
    {
        "generation", "observedGeneration", "hostPort", "nodePort", "healthCheckNodePort", "minReadySeconds",
        "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
        "retryAfterSeconds", "signal", "count", "partition",
        "readyReplicas", "availableReplicas", "updatedReplicas", "unavailableReplicas", "fullyLabeledReplicas",
        "currentReplicas", "active", "succeeded", "failed", "updatedNumberScheduled", "numberAvailable",
        "numberUnavailable", "remainingItemCount",
    }
)  # fmt: skip
"""Optional integers that are plain in Go: a zero there is what an absent JSON key means."""

_POINTER_INTEGERS: Final = frozenset(
    {
        ("JobStatus", "ready"),
        ("RollingUpdateStatefulSetStrategy", "partition"),
        ("ServerStorageVersion", "generation"),
        ("WebhookClientConfig", "timeoutSeconds"),
        ("ValidatingWebhook", "timeoutSeconds"),
        ("MutatingWebhook", "timeoutSeconds"),
        ("ClientIPConfig", "timeoutSeconds"),
        ("ResourcePool", "generation"),
    }
)

_FALSE_IS_UNSET: Final = frozenset(
    {
        "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "publishNotReadyAddresses",
        "unschedulable", "globalDefault", "paused", "denied", "reinvocationNeeded", "orphan", "watch",
        "allowWatchBookmarks", "incomplete",
    }
)  # fmt: skip
"""Optional booleans that are plain in Go."""


def is_unset(message: str, member: str, value: Any) -> bool:
    """Whether a scalar of value zero is one that the JSON form leaves out. `message` is without its package."""
    if value == "":
        return (message, member) not in _MEANINGFUL_EMPTY
    if value is False:
        return member in _FALSE_IS_UNSET
    if value == 0:
        if (message, member) == ("DeploymentStatus", "replicas"):
            return True
        return member in _ZERO_IS_UNSET and (message, member) not in _POINTER_INTEGERS
    return False


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
