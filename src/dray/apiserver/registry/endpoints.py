"""Endpoints and EndpointSlice: the addresses behind a service."""

import datetime as dt

from dray.api.fields import FieldError, Path, not_supported, required
from dray.api.meta import Object
from dray.api.resources import ENDPOINT_SLICES, ENDPOINTS
from dray.api.validation.lists import items_of
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, NONE, at
from dray.apiserver.registry.kind import Column, Deprecation, Kind, WriteContext
from dray.apiserver.registry.writes import forget_empty, old_of

SHOWN_MAX = 3
"""A table shows so many addresses and counts the rest."""
UNSET = "<unset>"
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


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
    for port in items_of(obj.get("ports")):
        if port.get("name") is None:
            port["name"] = ""
    _default_ports(obj)


def _default_ports(holder: Object) -> None:
    for port in items_of(holder.get("ports")):
        if not port.get("protocol"):
            port["protocol"] = "TCP"


def _prepare_slice(context: WriteContext, obj: Object) -> None:
    forget_empty(obj, "endpoints")
    forget_empty(obj, "ports")


def _validate_slice(context: WriteContext, obj: Object) -> list[FieldError]:
    kind, place = obj.get("addressType") or "", Path("addressType")
    if not kind:
        return [required(place)]
    if kind not in ADDRESS_TYPES:
        return [not_supported(place, kind, ADDRESS_TYPES)]
    return []


def _validate_slice_update(context: WriteContext, obj: Object) -> list[FieldError]:
    errors = immutable(obj.get("addressType"), old_of(context).get("addressType"), Path("addressType"))
    return _validate_slice(context, obj) + errors


ENDPOINTS_KIND = Kind(
    ENDPOINTS,
    singular="endpoints",
    short_names=("ep",),
    columns=(NAME, Column("Endpoints", _addresses, description="Addresses that are ready."), AGE),
    default=_default_endpoints,
    create_on_update=True,
    deprecated={"v1": Deprecation("1.33", replacement="discovery.k8s.io/v1 EndpointSlice")},
)

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
    validate_create=_validate_slice,
    validate_update=_validate_slice_update,
    has_generation=True,
    generation_of=lambda obj: {key: obj.get(key) for key in ("addressType", "endpoints", "ports")},
)
