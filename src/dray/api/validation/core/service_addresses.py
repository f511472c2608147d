"""Addresses of services: what `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` may say together."""

from typing import Final

from dray.api.fields import FieldError, Path, duplicate, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.addresses import one_of_each_family, parse_address, validate_plain_address

NONE: Final = "None"
"""The address of a headless service."""
FAMILIES: Final = ("IPv4", "IPv6")
POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_SPEC: Final = Path("spec")
_ADDRESSES: Final = _SPEC.child("clusterIPs")


def validate_addresses(spec: Object) -> list[FieldError]:
    """Of a service that has any."""
    address, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    errors: list[FieldError] = []
    if address and not addresses:
        errors.append(required(_ADDRESSES))
    elif address and addresses[0] != address:
        errors.append(invalid(_ADDRESSES, addresses, "first value must match `clusterIP`"))
    elif addresses and not address:
        errors.append(invalid(_ADDRESSES, addresses, "must be empty when `clusterIP` is not specified"))
    errors += _validate_families(spec)
    wrong = _validate_each(addresses)
    if len(addresses) > 2:
        wrong_count = invalid(_ADDRESSES, addresses, "may only hold up to 2 values")
        return errors + wrong + [wrong_count]
    if wrong:
        return errors + wrong
    if len(addresses) > 1 and not one_of_each_family(addresses):
        errors.append(invalid(_ADDRESSES, addresses, "may specify no more than one IP for each IP family"))
    return errors + _validate_agreement(addresses, spec.get("ipFamilies") or [])


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _validate_families(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        path = _SPEC.child("ipFamilies").index(index)
        if family not in FAMILIES:
            errors.append(not_supported(path, family, FAMILIES))
        if family in seen:
            errors.append(duplicate(path, family))
        seen.add(family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in POLICIES:
        errors.append(not_supported(_SPEC.child("ipFamilyPolicy"), policy, POLICIES))
    return errors


def _validate_each(addresses: list[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, address in enumerate(addresses):
        if index == 0 and address == NONE:
            if len(addresses) > 1:
                errors.append(invalid(_ADDRESSES, addresses, "'None' must be the first and only value"))
            continue
        errors += validate_plain_address(address, _ADDRESSES.index(index))
    return errors


def _validate_agreement(addresses: list[str], families: list[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, (address, family) in enumerate(zip(addresses, families, strict=False)):
        if address != NONE and parse_address(address) and family in FAMILIES and family_of(address) != family:
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            errors.append(invalid(_ADDRESSES.index(index), address, text))
    return errors
