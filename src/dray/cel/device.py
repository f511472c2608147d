"""The `device` of a selector: its type, how large its parts can be, and a device of a ResourceSlice as its value.

Names without a domain are put under the driver's name. Where a device has both `x` and `<driver>/x`, the latter, which
says more, wins (upstream leaves that to chance).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dray.api.quantity import InvalidQuantity, parse_quantity
from dray.api.semver import InvalidSemver, parse_semver
from dray.cel.cost.bounds import Bounds
from dray.cel.cost.node import Path
from dray.cel.environment import Environment
from dray.cel.library.kubernetes import QUANTITY
from dray.cel.types import ANY, BOOL, DYN, STRING, CelType, map_of, struct
from dray.cel.values.container import DeviceMap, DomainMap

DEVICE: Final = struct("kubernetes.DRADevice")

_MAX_DOMAIN = 63
_MAX_ID = 32
_MAX_NAMES = 32
_MAX_TEXT = 64
_MAX_VALUES = 48


class InvalidDevice(ValueError):
    """A device cannot be the input of a selector; `str()` says which attribute and why."""


def device_fields(environment: Environment) -> dict[str, CelType]:
    """What an expression can select from `device`."""
    attribute = DYN if environment.list_type_attributes else ANY
    fields = {
        "driver": STRING,
        "attributes": map_of(STRING, map_of(STRING, attribute)),
        "capacity": map_of(STRING, map_of(STRING, QUANTITY)),
    }
    if environment.consumable_capacity or not environment.new_expressions:
        fields["allowMultipleAllocations"] = BOOL
    return fields


def size_hint(environment: Environment) -> Callable[[Path], Bounds | None]:
    """How large what lies at a path of `device` can be."""
    text = max(_MAX_TEXT, _MAX_VALUES) if environment.list_type_attributes else _MAX_TEXT

    def hint(path: Path) -> Bounds | None:
        if path[0] != "device":
            return None
        size = _size_at(path[1:], text)
        return None if size is None else Bounds(0, size)

    return hint


def _size_at(path: Path, text: int) -> int | None:
    if not path:
        return 0
    first, *rest = path
    if first in ("driver", "allowMultipleAllocations"):
        return None if rest else {"driver": _MAX_DOMAIN, "allowMultipleAllocations": 1}[first]
    if first not in ("attributes", "capacity"):
        return None
    inner_sizes = (_MAX_NAMES, _MAX_NAMES, text if first == "attributes" else 0)
    key_sizes = (_MAX_DOMAIN, _MAX_ID)
    for depth, name in enumerate(rest):
        last = depth == len(rest) - 1
        if name == "@keys":
            return key_sizes[depth] if last and depth < 2 else None
        if depth >= 2:
            return None
        if name not in ("@items", "@values") and not (first == "attributes" and depth == 1):
            # Upstream finds a size behind a name only in the inner map of attributes.
            return None
    return inner_sizes[len(rest)]


class DeviceInput:
    """One device, prepared once for any number of evaluations. Immutable; made by `of`.

    `plain` and `listed` are what generated code reads: the device without and with list attributes. They are only there
    once the device was prepared, and only if it is within the limits on which generated code relies.
    """

    __slots__ = ("_prepared", "device", "driver", "listed", "plain")

    plain: "Record"
    listed: "Record"

    def __init__(self, driver: str, device: Mapping[str, Any]) -> None:
        self.driver = driver
        self.device = device
        self._prepared: dict[bool, Record | InvalidDevice] = {}

    @classmethod
    def of(cls, driver: str, device: Mapping[str, Any]) -> "DeviceInput":
        """`device`: the v1 JSON of one of a slice's `spec.devices`. Converted when first evaluated, not before."""
        return cls(driver, device)

    def record(self, *, lists: bool) -> "Record":
        """The values of `device`; `lists`: attributes with several values are allowed. Raises InvalidDevice."""
        found = self._prepared.get(lists)
        if found is None:
            try:
                found = Record(self.driver, self.device, lists=lists)
                if found.within_limits:
                    setattr(self, generated_slot(lists=lists), found)
            except InvalidDevice as error:
                found = error
            self._prepared[lists] = found
        if isinstance(found, InvalidDevice):
            raise found
        return found


def generated_slot(*, lists: bool) -> str:
    """Which attribute of a DeviceInput generated code reads."""
    return "listed" if lists else "plain"


class Record:
    """A device as values: what generated code reads, and what the interpreter sees as `device`.

    `within_limits`: nothing is larger than the API allows, so that static cost estimates hold.
    """

    __slots__ = ("allowMultipleAllocations", "attributes", "capacity", "driver", "variables", "within_limits")

    def __init__(self, driver: str, device: Mapping[str, Any], *, lists: bool) -> None:
        self.driver = driver
        self.allowMultipleAllocations = bool(device.get("allowMultipleAllocations"))
        attributes = device.get("attributes") or {}
        capacity = device.get("capacity") or {}
        self.attributes = _by_domain(
            driver, attributes, lambda name, value: _attribute(name, value, lists=lists)
        )
        self.capacity = _by_domain(driver, capacity, _capacity)
        self.within_limits = _is_within_limits(driver, self.attributes, self.capacity)
        self.variables = {
            "device": {
                "driver": driver,
                "allowMultipleAllocations": self.allowMultipleAllocations,
                "attributes": self.attributes,
                "capacity": self.capacity,
            }
        }


def _by_domain(driver: str, entries: Mapping[str, Any], convert: Callable[[str, Any], Any]) -> DomainMap:
    domains = DomainMap()
    written_out: list[tuple[str, str, Any]] = []
    for name, entry in entries.items():
        value = convert(name, entry)
        domain, slash, id = name.partition("/")
        if slash:
            written_out.append((domain, id, value))
        else:
            domains.setdefault(driver, DeviceMap())[name] = value
    for domain, id, value in written_out:
        domains.setdefault(domain, DeviceMap())[id] = value
    return domains


def _attribute(name: str, attribute: Mapping[str, Any], *, lists: bool) -> Any:
    for field in ("int", "bool", "string"):
        value = attribute.get(field)
        if value is not None:
            return value
    try:
        version = attribute.get("version")
        if version is not None:
            return parse_semver(version)
        if lists:
            return _attribute_list(name, attribute)
    except InvalidSemver as error:
        raise InvalidDevice(f"attribute {name}: parse semantic version: {error}") from error
    raise InvalidDevice(f"attribute {name}: unsupported attribute value")


def _attribute_list(name: str, attribute: Mapping[str, Any]) -> list[Any]:
    for field in ("ints", "bools", "strings"):
        values = attribute.get(field)
        if values is not None:
            return list(values)
    versions = attribute.get("versions")
    if versions is None:
        raise InvalidDevice(f"attribute {name}: unsupported attribute value")
    return [parse_semver(version) for version in versions]


def _capacity(name: str, capacity: Mapping[str, Any]) -> Any:
    try:
        return parse_quantity(capacity["value"])
    except (InvalidQuantity, KeyError) as error:
        raise InvalidDevice(f"capacity {name}: {error}") from error


def _is_within_limits(driver: str, *domain_maps: DomainMap) -> bool:
    if len(driver) > _MAX_DOMAIN or sum(map(len, domain_maps)) > _MAX_NAMES:
        return False
    for domains in domain_maps:
        for domain, entries in domains.items():
            if len(domain) > _MAX_DOMAIN or len(entries) > _MAX_NAMES:
                return False
            for id, value in entries.items():
                if len(id) > _MAX_ID or not _is_small(value):
                    return False
    return True


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_TEXT
    if isinstance(value, list):
        return len(value) <= _MAX_VALUES and all(map(_is_small, value))
    return True
