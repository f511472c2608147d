"""The devices that the CDI directories of a node define, as a container runtime sees them.

Decides which spec wins when several define a device: the directory of higher priority; two in the same directory make
the device unresolvable. Broken files are reported and skipped, the others keep working. Reads the file system, and
again only when a directory or file changed.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dray.cdi.edits import OciSpec, StatDevice, apply_edits, merge
from dray.cdi.errors import CdiError, UnresolvableDevices
from dray.cdi.files import DYNAMIC_DIRECTORY, STATIC_DIRECTORY, SUFFIXES, read_spec
from dray.cdi.hostdevice import stat_host_device
from dray.cdi.spec import Edits, Spec


class Definition(NamedTuple):
    """Where a device is defined and what it does."""

    name: str
    path: Path
    device: Mapping[str, Any]
    spec: Spec


class _Stamp(NamedTuple):
    inode: int
    modified_ns: int
    size: int


class CdiCache:
    """Resolves qualified device names against `directories`, given from lowest to highest priority."""

    def __init__(self, directories: Sequence[Path] = (STATIC_DIRECTORY, DYNAMIC_DIRECTORY)) -> None:
        self.directories = tuple(directories)
        self._specs: dict[Path, tuple[_Stamp, Spec | CdiError]] = {}
        self._devices: dict[str, Definition] = {}
        self._conflicts: dict[str, list[Path]] = {}

    def refresh(self) -> None:
        """Read what changed on disk. Costs one stat per file when nothing did."""
        stamps = dict(self._scan())
        if stamps == {path: stamp for path, (stamp, _) in self._specs.items()}:
            return
        specs = {}
        for path, stamp in stamps.items():
            known = self._specs.get(path)
            specs[path] = known if known is not None and known[0] == stamp else (stamp, _read(path))
        self._specs = specs
        self._index()

    def _scan(self) -> Iterator[tuple[Path, _Stamp]]:
        for directory in self.directories:
            try:
                entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            for entry in entries:
                if not entry.name.endswith(SUFFIXES) or entry.is_dir():
                    continue
                try:
                    found = entry.stat()
                except FileNotFoundError:
                    continue
                yield Path(entry.path), _Stamp(found.st_ino, found.st_mtime_ns, found.st_size)

    def _index(self) -> None:
        devices: dict[str, Definition] = {}
        conflicts: dict[str, list[Path]] = {}
        for path, (_, spec) in self._specs.items():
            if isinstance(spec, CdiError):
                continue
            for device in spec["devices"]:
                name = f"{spec['kind']}={device['name']}"
                earlier = devices.get(name)
                if earlier is not None and earlier.path.parent == path.parent:
                    conflicts.setdefault(name, [earlier.path]).append(path)
                elif earlier is not None:
                    conflicts.pop(name, None)  # a conflict in a lower directory does not matter any more
                devices[name] = Definition(name, path, device, spec)
        self._devices = {name: found for name, found in devices.items() if name not in conflicts}
        self._conflicts = conflicts

    def devices(self) -> list[str]:
        """The qualified names that can be resolved now."""
        self.refresh()
        return sorted(self._devices)

    def find(self, name: str) -> Definition | None:
        """The definition of a qualified name as of the last refresh."""
        return self._devices.get(name)

    def errors(self) -> dict[Path, list[str]]:
        """File -> what is wrong with it, as of the last refresh."""
        problems: dict[Path, list[str]] = {}
        for path, (_, spec) in self._specs.items():
            if isinstance(spec, CdiError):
                problems.setdefault(path, []).append(str(spec))
        for name, paths in self._conflicts.items():
            for path in paths:
                others = ", ".join(str(other) for other in paths if other != path)
                problems.setdefault(path, []).append(f"device {name} is also defined in {others}")
        return problems

    def edits_for(self, names: Iterable[str]) -> Edits:
        """What the devices `names` do to a container, merged in order; a name given twice counts once.

        A spec's own containerEdits come before the first of its devices. Raises UnresolvableDevices, after looking
        at the disk again.
        """
        self.refresh()
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self._devices]
        if missing:
            raise UnresolvableDevices(missing)
        parts: list[Mapping[str, Any]] = []
        touched: set[Path] = set()
        for name in wanted:
            found = self._devices[name]
            if found.path not in touched:
                touched.add(found.path)
                parts.append(found.spec.get("containerEdits") or {})
            parts.append(found.device.get("containerEdits") or {})
        return merge(parts)

    def inject(
        self, oci: Mapping[str, Any], names: Iterable[str], stat_device: StatDevice = stat_host_device
    ) -> OciSpec:
        """A copy of the OCI spec `oci` with the devices `names` in it. Raises CdiError, changing nothing."""
        return apply_edits(oci, self.edits_for(names), stat_device)


def _read(path: Path) -> Spec | CdiError:
    try:
        return read_spec(path)
    except CdiError as error:
        return error
    except OSError as error:
        return CdiError(f"{path}: cannot be read: {error.strerror}")
