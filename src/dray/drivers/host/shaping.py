"""From hardware and configuration to what is published, and to what containers get. Pure."""

import dataclasses
import fnmatch
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dray.api.meta import Object
from dray.drivers.host.config import FileError, Group
from dray.drivers.host.hardware import Hardware, Value
from dray.sdk.devices import Capacity, Device

SHARES: Final = "shares"
"""The capacity of a shared device; a claim takes one unless it asks for more."""
VIRTUAL: Final = "virtual"
IN_USE: Final = "inUse"


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """Hardware that is offered, by the group that took it."""

    hardware: Hardware
    group: Group

    @property
    def device(self) -> Device:
        hardware, shared = self.hardware, self.group.share > 1 and not self.hardware.divisible
        capacity: Mapping[str, Capacity] = hardware.capacity
        if shared:
            # Any other capacity would be taken whole by the first claim: the API has no way to take none of it.
            count = str(self.group.share)
            capacity = {SHARES: Capacity(count, default="1", minimum="1", step="1", maximum=count)}
        return Device(
            hardware.name,
            self._attributes(),
            capacity,
            allow_multiple_allocations=True if shared or hardware.divisible else None,
        )

    def _attributes(self) -> dict[str, Value]:
        hardware = self.hardware
        virtual = {VIRTUAL: True} if hardware.virtual else {}
        return {"kind": hardware.kind, **hardware.attributes, **virtual, **self.group.attributes}

    def edits(self) -> Object:
        """CDI container edits. Raises FileError for a placeholder that this hardware has no value for."""
        inject, hardware = self.group.inject, self.hardware
        path = hardware.nodes[0] if hardware.nodes else hardware.id
        env = {_variable(hardware.name): path}
        env |= {name: self._filled(str(value)) for name, value in inject.env.items()}
        edits: Object = {"env": [f"{name}={value}" for name, value in env.items()]}
        nodes = self._nodes()
        if nodes:
            edits["deviceNodes"] = nodes
        if inject.mounts:
            edits["mounts"] = [
                {
                    "hostPath": self._filled(mount.host_path),
                    "containerPath": self._filled(mount.container_path),
                    "options": list(mount.options),
                }
                for mount in inject.mounts
            ]
        return edits

    def _nodes(self) -> list[Object]:
        wanted = self.group.inject.device_nodes
        if wanted is None:
            return [{"path": path, "permissions": "rw"} for path in self.hardware.nodes]
        nodes = []
        for node in wanted:
            entry = {"path": self._filled(node.path), "permissions": node.permissions}
            if node.host_path:
                entry["hostPath"] = self._filled(node.host_path)
            nodes.append(entry)
        return nodes

    def _filled(self, template: str) -> str:
        hardware = self.hardware
        values: dict[str, Value] = {**hardware.attributes, **self.group.attributes}
        values |= {"id": hardware.id, "device": hardware.name}
        if hardware.nodes:
            values["path"] = hardware.nodes[0]
        try:
            parts = [
                before + (str(values[name]) if name is not None else "")
                for before, name, _, _ in string.Formatter().parse(template)
            ]
        except KeyError as error:
            raise FileError(
                f"{template!r}: {hardware.name} has no {error.args[0]!r}; it has {', '.join(sorted(values))}"
            ) from None
        except ValueError as error:
            raise FileError(f"{template!r}: {error}; write {{{{ and }}}} for braces") from None
        return "".join(parts)


def offers(groups: Iterable[Group], found: Mapping[str, Iterable[Hardware]]) -> Iterator[Offer]:
    """What each group takes of the hardware `found` (kind -> hardware) and no group before it has."""
    taken: set[str] = set()
    for group in groups:
        for hardware in found[group.kind]:
            if hardware.name not in taken and takes(group, hardware):
                taken.add(hardware.name)
                yield Offer(hardware, group)


def takes(group: Group, hardware: Hardware) -> bool:
    """Whether the group wants the hardware; what software made or the machine uses only if the group says so."""
    values: dict[str, Value] = {**hardware.attributes, VIRTUAL: hardware.virtual, "id": hardware.id}
    if (hardware.virtual and VIRTUAL not in group.select) or (hardware.in_use and IN_USE not in group.select):
        return False
    wanted = all(_is_like(values.get(name), options) for name, options in group.select.items())
    unwanted = any(_is_like(values.get(name), options) for name, options in group.exclude.items())
    return wanted and not unwanted


def _is_like(value: Value | None, options: Any) -> bool:
    return any(_matches(value, option) for option in (options if isinstance(options, list) else [options]))


def _matches(value: Value | None, option: Value) -> bool:
    if isinstance(value, str) and isinstance(option, str):
        return fnmatch.fnmatchcase(value, option)
    # In Python True is 1; in a configuration it is not.
    return value is not None and isinstance(value, bool) == isinstance(option, bool) and value == option


def _variable(name: str) -> str:
    """`serial-ttyusb0` -> `HOST_DEVICE_SERIAL_TTYUSB0`."""
    return f"HOST_DEVICE_{name.upper().replace('-', '_')}"
