"""The CDI files of a driver: one per claim, and one for what all claims have in common.

Decides names: device `<claim uid>-<device>[-<share>]` in the file `<vendor>-<class>_<claim uid>.yaml`, so that a file
can be found and removed by the claim's UID alone.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dray.cdi.errors import CdiError
from dray.cdi.files import read_spec, remove_spec, write_spec
from dray.cdi.names import parse_kind, spec_file_name
from dray.cdi.spec import Spec, new_spec
from dray.sdk.checkpoint import ReturnedDevice
from dray.sdk.claims import AllocatedDevice, Claim
from dray.sdk.driver import Edits, PreparedDevice
from dray.sdk.errors import ClaimError

COMMON: Final = "common"


class ClaimCdi:
    def __init__(self, directory: Path, kind: str, *, common_first: bool = False) -> None:
        parse_kind(kind)
        self.directory = directory
        self.kind = kind
        self._common_first = common_first
        self._common_id: tuple[str, ...] = ()

    def write_common(self, edits: Edits) -> None:
        """Make `edits` part of every claim prepared from now on. Raises CdiError or OSError."""
        if not edits:
            return
        spec = new_spec(self.kind, [{"name": COMMON, "containerEdits": dict(edits)}])
        write_spec(self.directory, spec_file_name(self.kind, COMMON), spec)
        self._common_id = (f"{self.kind}={COMMON}",)

    def describe(
        self, claim: Claim, prepared: Sequence[PreparedDevice]
    ) -> tuple[Spec | None, tuple[ReturnedDevice, ...]]:
        """The claim's CDI spec, None when no device has edits, and what to return to the kubelet.

        Raises ClaimError when the edits are not valid CDI.
        """
        names = _device_names(claim, [one.device for one in prepared])
        devices, returned = [], []
        for one, name in zip(prepared, names, strict=True):
            own: tuple[str, ...] = ()
            if any(one.edits.values()):
                devices.append({"name": name, "containerEdits": dict(one.edits)})
                own = (f"{self.kind}={name}",)
            returned.append(_returned(one.device, self._ids(own + one.cdi_ids)))
        try:
            spec = new_spec(self.kind, devices) if devices else None
        except CdiError as error:
            raise ClaimError(
                f"the driver made edits for claim {claim.ref} that are not valid: {error}"
            ) from None
        return spec, tuple(returned)

    def _ids(self, own: tuple[str, ...]) -> tuple[str, ...]:
        return self._common_id + own if self._common_first else own + self._common_id

    def write(self, uid: str, spec: Mapping[str, Any]) -> None:
        """Write the claim's file unless it is there already, as it should be. Raises OSError."""
        file_name = spec_file_name(self.kind, uid)
        try:
            if read_spec(self.directory / file_name) == spec:
                return
        except (CdiError, OSError):
            pass  # missing or damaged: both are cured by writing it
        write_spec(self.directory, file_name, spec)

    def remove(self, uid: str) -> None:
        remove_spec(self.directory, spec_file_name(self.kind, uid))

    def claims(self) -> list[str]:
        """The UIDs of the claims that have a file."""
        name = re.escape(spec_file_name(self.kind, "@")).replace("@", "([0-9a-zA-Z-]+)")
        matches = (re.fullmatch(name, entry.name) for entry in self.directory.iterdir())
        return sorted(match.group(1) for match in matches if match and match.group(1) != COMMON)


def _device_names(claim: Claim, devices: Sequence[AllocatedDevice]) -> list[str]:
    ids = [device.id for device in devices]
    if len(set(ids)) == len(ids):
        return [f"{claim.uid}-{id_}" for id_ in ids]
    # Two pools with devices of the same name.
    return [f"{claim.uid}-{device.pool.replace('/', '_')}-{device.id}" for device in devices]


def _returned(device: AllocatedDevice, cdi_ids: tuple[str, ...]) -> ReturnedDevice:
    return ReturnedDevice((device.base_request,), device.pool, device.device, cdi_ids, device.share_id)
