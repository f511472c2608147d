"""The YAML file of the host driver: which hardware is offered, under what conditions, and how containers get it.

    driver: host.example.com
    devices:
      - kind: serial                       # cpu, network, block, usb, serial or gpu
        select: {vendor: "0403"}           # attributes it must have; * and ? stand for anything, lists for either
        exclude: {serial: "A50285BI"}      # and must not have
        share: 2                           # how many claims may hold each device at once
        attributes: {room: lab}            # more to say of it
        inject:
          env: {SERIAL_PORT: "{path}"}
          deviceNodes: [{path: "{path}", permissions: rw}]
          mounts: [{hostPath: /srv/firmware, containerPath: /firmware}]

Everything but `kind` may be left out. Groups are looked at in order; hardware belongs to the first that takes it.
Unknown members, wrong types and wrong values are refused with their place in the file.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from dray.api import names
from dray.drivers.host.inventory import FINDERS
from dray.sdk.config import from_json
from dray.sdk.errors import ConfigError

DEFAULT_DRIVER: Final = "host.example.com"


class FileError(ValueError):
    """The file cannot be used; the text names it, the member, and what would do."""


@dataclasses.dataclass(frozen=True)
class DeviceNode:
    path: str
    host_path: str = ""
    """Where it is on the machine, when the container shall see it elsewhere."""
    permissions: str = "rw"

    def validate(self) -> None:
        if not self.permissions or set(self.permissions) - set("rwm"):
            raise ValueError(f"permissions {self.permissions!r}: use letters of rwm (read, write, mknod)")


@dataclasses.dataclass(frozen=True)
class Mount:
    host_path: str
    container_path: str
    options: tuple[str, ...] = ("ro", "bind")


@dataclasses.dataclass(frozen=True)
class Inject:
    """What containers get; strings may name `{path}`, `{id}`, `{device}` and every attribute of the hardware."""

    env: dict[str, Any] = dataclasses.field(default_factory=dict)
    device_nodes: tuple[DeviceNode, ...] | None = None
    """None means the nodes that belong to the hardware."""
    mounts: tuple[Mount, ...] = ()


@dataclasses.dataclass(frozen=True)
class Group:
    kind: str
    select: dict[str, Any] = dataclasses.field(default_factory=dict)
    exclude: dict[str, Any] = dataclasses.field(default_factory=dict)
    share: int = 1
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    inject: Inject = dataclasses.field(default_factory=Inject)

    def validate(self) -> None:
        if self.kind not in FINDERS:
            close = difflib.get_close_matches(self.kind, FINDERS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; kinds are {', '.join(FINDERS)}"
            raise ValueError(f"there is no kind {self.kind!r}{hint}")
        if self.share < 1:
            raise ValueError(f"share {self.share}: at least 1 claim must be able to hold a device")
        for member, values in (("select", self.select), ("exclude", self.exclude)):
            for name, value in values.items():
                for option in value if isinstance(value, list) else [value]:
                    if not isinstance(option, str | int | bool):
                        raise ValueError(f"{member}.{name}: {option!r} is no string, number or boolean")
        for name, value in self.attributes.items():
            if not isinstance(value, str | int | bool):
                raise ValueError(f"attributes.{name}: {value!r} is no string, number or boolean")


@dataclasses.dataclass(frozen=True)
class HostConfig:
    devices: tuple[Group, ...]
    driver: str = DEFAULT_DRIVER

    def validate(self) -> None:
        if wrong := names.dns_subdomain(self.driver):
            raise ValueError(f"driver {self.driver!r} is no DNS name: {wrong[0]}")
        if not self.devices:
            raise ValueError("devices: name at least one group, e.g. {kind: serial}")


def read_config(path: Path) -> HostConfig:
    """Raises FileError."""
    try:
        content = path.read_text()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    return parse_config(content, str(path))


def parse_config(content: str, file: str = "configuration") -> HostConfig:
    """Raises FileError."""
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise FileError(f"{file}: no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, Mapping):
        raise FileError(f"{file}: expected an object with `devices`, e.g. devices: [{{kind: serial}}]")
    try:
        config: HostConfig = from_json(HostConfig, document, file)
    except ConfigError as error:
        raise FileError(_plain(str(error))) from error
    return config


def _plain(message: str) -> str:
    """Without Python's own words for a member that is missing."""
    return message.replace(
        "HostConfig.__init__() missing 1 required positional argument:", "missing member"
    ).replace("Group.__init__() missing 1 required positional argument:", "missing member")
