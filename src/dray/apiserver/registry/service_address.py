"""ServiceCIDR and IPAddress: the ranges that services get their addresses from, and who has which; kept and shown."""

import datetime as dt
import ipaddress
from collections.abc import Sequence

from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, NONE, find, joined
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_all_but_status, keep_status, old_of

SERVICE_CIDRS = Resource("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", False)
IP_ADDRESSES = Resource("networking.k8s.io", "v1", "ipaddresses", "IPAddress", False)

_CIDRS = Path("spec.cidrs")
_PARENT = Path("spec.parentRef")
_MAX_CIDRS = 2


def _validate_ranges(context: WriteContext, obj: Object) -> list[FieldError]:
    cidrs = find(obj, "spec", "cidrs", default=())
    if not cidrs:
        return [required(_CIDRS, "at least one CIDR required")]
    if len(cidrs) > _MAX_CIDRS:
        return [invalid(_CIDRS, cidrs, "may only hold up to 2 values")]
    return _validate_each(cidrs)


def _validate_each(cidrs: Sequence[str]) -> list[FieldError]:
    return [
        invalid(_CIDRS.index(position), cidr, problem)
        for position, cidr in enumerate(cidrs)
        if (problem := _range_problem(cidr))
    ]


def _range_problem(cidr: str) -> str:
    try:
        if "/" not in cidr:
            raise ValueError(cidr)
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return "" if str(network) == cidr else f'must be in canonical form ("{network}")'


def _validate_ranges_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return immutable(find(obj, "spec", "cidrs"), find(old_of(context), "spec", "cidrs"), _CIDRS)


SERVICE_CIDR = Kind(
    SERVICE_CIDRS,
    singular="servicecidr",
    columns=(
        NAME,
        Column(
            "CIDRs",
            lambda obj, now: joined(find(obj, "spec", "cidrs", default=())),
            description="The ranges.",
        ),
        AGE,
    ),
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate_ranges,
    validate_update=_validate_ranges_update,
    status=StatusStrategy(keep_all_but_status),
)


def _address_name(name: str) -> list[str]:
    try:
        address = str(ipaddress.ip_address(name))
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return [] if address == name else [f'must be in canonical form ("{address}")']


def _validate_parent(context: WriteContext, obj: Object) -> list[FieldError]:
    parent = find(obj, "spec", "parentRef")
    if not parent:
        return [required(_PARENT)]
    return [required(_PARENT.child(field)) for field in ("resource", "name") if not parent.get(field)]


def _validate_parent_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return immutable(find(obj, "spec", "parentRef"), find(old_of(context), "spec", "parentRef"), _PARENT)


def _parent(obj: Object, now: dt.datetime) -> str:
    parent = find(obj, "spec", "parentRef")
    if not parent:
        return NONE
    resource = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part).lower()
    return joined([part for part in (resource, parent.get("namespace"), parent.get("name")) if part], "/")


IP_ADDRESS = Kind(
    IP_ADDRESSES,
    singular="ipaddress",
    short_names=("ip",),
    columns=(NAME, Column("ParentRef", _parent, description="What has the address."), AGE),
    validate_create=_validate_parent,
    validate_update=_validate_parent_update,
    name_rule=_address_name,
)
