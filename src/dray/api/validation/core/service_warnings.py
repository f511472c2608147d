"""What a service is warned of though it is taken: fields that are going, and such as do nothing beside others."""

from collections.abc import Iterator
from typing import Final

from dray.api.fields import Path
from dray.api.meta import Object, annotations_of
from dray.api.validation.addresses import address_warnings
from dray.api.validation.core.service_addresses import NONE

HINTS: Final = "service.kubernetes.io/topology-aware-hints"
MODE: Final = "service.kubernetes.io/topology-mode"
_SPEC: Final = Path("spec")


def service_warnings(obj: Object) -> Iterator[str]:
    spec = obj.get("spec") or {}
    kind, is_headless = spec.get("type") or "", spec.get("clusterIP") == NONE
    if HINTS in annotations_of(obj):
        yield f"annotation {HINTS} is deprecated, please use {MODE} instead"
    if is_headless:
        affinity = spec.get("sessionAffinity") or "None"
        for shown, is_set in (
            ("loadBalancerIP", bool(spec.get("loadBalancerIP"))),
            ("externalIPs", bool(spec.get("externalIPs"))),
            ("SessionAffinity", affinity != "None"),
        ):
            if is_set:
                yield f"{_SPEC.child(shown)} is ignored for headless services"
    elif spec.get("externalIPs") and kind != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    yield from _addresses(spec)
    if kind == "ExternalName" and spec.get("externalIPs"):
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if kind != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'


def _addresses(spec: Object) -> Iterator[str]:
    for field in ("clusterIPs", "externalIPs"):
        for index, text in enumerate(spec.get(field) or ()):
            yield from address_warnings(text or "", _SPEC.child(field).index(index))
    yield from address_warnings(spec.get("loadBalancerIP") or "", _SPEC.child("loadBalancerIP"))
