"""What this node has prepared, on disk: the file `dra_manager_state`, with a checksum, written whole or not at all.

One entry a claim: who uses it, and which CDI devices each driver gave for it. An unreadable file is set aside and
reported, never overwritten: the devices in it may be in use.
"""

import dataclasses
import json
import logging
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

log = logging.getLogger("dray.node.dra")

VERSION = "v1"


@dataclasses.dataclass(slots=True)
class Device:
    driver: str
    pool: str
    name: str
    requests: list[str]
    cdi_ids: list[str]
    share_id: str = ""


@dataclasses.dataclass(slots=True)
class PreparedClaim:
    namespace: str
    name: str
    uid: str
    drivers: list[str]
    """Every driver with a device in the allocation, whether or not it was asked yet."""
    pods: list[str] = dataclasses.field(default_factory=list)
    """Uids of the pods that use it."""
    devices: list[Device] = dataclasses.field(default_factory=list)
    prepared: bool = False


class Checkpoint:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, PreparedClaim]:
        """By claim uid; empty when nothing was ever stored."""
        try:
            document = json.loads(self._path.read_bytes())
            if zlib.crc32(document["data"].encode()) != document["checksum"]:
                raise ValueError("the checksum does not match")
            return {entry["uid"]: _claim(entry) for entry in json.loads(document["data"])}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            aside = self._path.with_suffix(".unreadable")
            log.error("%s cannot be read (%s); it is set aside as %s", self._path, error, aside)
            self._path.rename(aside)
            return {}

    def store(self, claims: Iterable[PreparedClaim]) -> None:
        data = json.dumps([dataclasses.asdict(claim) for claim in claims])
        document = {"version": VERSION, "data": data, "checksum": zlib.crc32(data.encode())}
        temporary = self._path.with_suffix(".new")
        with temporary.open("w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)


def _claim(entry: dict[str, Any]) -> PreparedClaim:
    devices = [Device(**device) for device in entry.pop("devices")]
    return PreparedClaim(**entry, devices=devices)
