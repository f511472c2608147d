"""Endpoints and EndpointSlice: the addresses behind a service."""

import datetime as dt

from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.resources import ENDPOINT_SLICES, ENDPOINTS
from dray.api.validation.addresses import address_warnings
from dray.api.validation.core.endpoints import validate_endpoint_slice, validate_endpoints
from dray.api.validation.lists import items_of
from dray.api.validation.meta import immutable
from dray.api.validation.sameness import same
from dray.apiserver.registry.columns import AGE, NAME, NONE, at
from dray.apiserver.registry.kind import Column, Deprecation, Kind, WriteContext
from dray.apiserver.registry.writes import old_of

SHOWN_MAX = 3
"""A table shows so many addresses and counts the rest."""
UNSET = "<unset>"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_MANAGERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")
"""Whose addresses were warned of where they come from."""


def _some(shown: list[str], none: str) -> str:
    if not shown:
        return none
    more = len(shown) - SHOWN_MAX
    return ",".join(shown[:SHOWN_MAX]) + (f" + {more} more..." if more > 0 else "")


def _addresses(obj: Object, now: dt.datetime) -> str:
    shown: list[str] = []
    for subset in items_of(obj.get("subsets")):
        ports = items_of(subset.get("ports"))
        for address in items_of(subset.get("addresses")):
            host = address.get("ip") or ""
            shown += [f"{host}:{port.get('port', 0)}" for port in ports] if ports else [host]
    return _some(shown, NONE)


def _slice_ports(obj: Object, now: dt.datetime) -> str:
    ports = [str(port.get("port") or UNSET) for port in items_of(obj.get("ports"))]
    return _some(ports, UNSET)


def _slice_addresses(obj: Object, now: dt.datetime) -> str:
    shown = [
        address for endpoint in items_of(obj.get("endpoints")) for address in endpoint.get("addresses") or ()
    ]
    return _some(shown, UNSET)


def _default_endpoints(obj: Object, version: str) -> None:
    for subset in items_of(obj.get("subsets")):
        _default_ports(subset)


def _default_slice(obj: Object, version: str) -> None:
    if obj.get("ports"):
        obj["ports"] = items_of(obj["ports"])
    for port in obj.get("ports") or ():
        if port.get("name") is None:
            port["name"] = ""
        if port.get("protocol") is None:
            port["protocol"] = "TCP"


def _default_ports(holder: Object) -> None:
    for port in items_of(holder.get("ports")):
        if not port.get("protocol"):
            port["protocol"] = "TCP"


def _prepare_slice(context: WriteContext, obj: Object) -> None:
    """The topology of older versions is not taken any more, but what is stored of it stays with the endpoints."""
    if context.old is not None and same(obj.get("endpoints"), context.old.get("endpoints")):
        return
    for endpoint in obj.get("endpoints") or ():
        if endpoint:
            endpoint.pop("deprecatedTopology", None)


def _validate_slice(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_endpoint_slice(obj)


def _validate_slice_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    errors = immutable(obj.get("addressType"), old.get("addressType"), Path("addressType"))
    return validate_endpoint_slice(obj, old) + errors


def _validate_endpoints(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_endpoints(obj, context.old)


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    texts: list[str] = []
    for index, subset in enumerate(items_of(obj.get("subsets"))):
        for field in ("addresses", "notReadyAddresses"):
            path = Path("subsets").index(index).child(field)
            for number, address in enumerate(items_of(subset.get(field))):
                texts += address_warnings(address.get("ip") or "", path.index(number).child("ip"))
    return texts


def _slice_warnings(context: WriteContext, obj: Object) -> list[str]:
    texts: list[str] = []
    if context.old is None and obj.get("addressType") == "FQDN":
        texts.append("spec.addressType: FQDN endpoints are deprecated")
    if (obj["metadata"].get("labels") or {}).get(_MANAGED_BY) in _MANAGERS:
        return texts
    for index, endpoint in enumerate(items_of(obj.get("endpoints"))):
        path = Path("endpoints").index(index).child("addresses")
        for number, address in enumerate(endpoint.get("addresses") or ()):
            texts += address_warnings(address or "", path.index(number))
    return texts


ENDPOINTS_KIND = Kind(
    ENDPOINTS,
    singular="endpoints",
    short_names=("ep",),
    columns=(NAME, Column("Endpoints", _addresses, description="Addresses that are ready."), AGE),
    default=_default_endpoints,
    warnings=_warnings,
    validate_create=_validate_endpoints,
    validate_update=_validate_endpoints,
    metadata_checks=("change", "whole"),
    create_on_update=True,
    deprecated={"v1": Deprecation("1.33", replacement="discovery.k8s.io/v1 EndpointSlice")},
)


def _what_counts(obj: Object) -> Object:
    """Who watches a slice tells by its labels which service it is of: they count as its content does."""
    content = {key: obj.get(key) for key in ("addressType", "endpoints", "ports")}
    return {**content, "labels": obj["metadata"].get("labels") or None}


ENDPOINT_SLICE = Kind(
    ENDPOINT_SLICES,
    singular="endpointslice",
    columns=(
        NAME,
        Column("AddressType", at("addressType"), description="Sort of address."),
        Column("Ports", _slice_ports, description="Ports of all endpoints."),
        Column("Endpoints", _slice_addresses, description="Their addresses."),
        AGE,
    ),
    default=_default_slice,
    prepare_create=_prepare_slice,
    prepare_update=_prepare_slice,
    warnings=_slice_warnings,
    validate_create=_validate_slice,
    validate_update=_validate_slice_update,
    metadata_checks=("whole",),
    has_generation=True,
    generation_of=_what_counts,
)
