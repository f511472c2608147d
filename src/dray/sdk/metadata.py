"""Device metadata files: what a container can read about the devices it was given.

Decides where the files are and what is in them (KEP-5304): one file per request of a claim, on the host in the
driver's directory, mounted read-only into every container of the request through a CDI file of its own. The content is
a stream of JSON documents, one per API version that the driver writes, the newest first; readers take the first whose
version they know (`read_metadata`).

    <driver's directory>/dra-device-metadata/<namespace>_<claim>/<request>/metadata.json
    /var/run/kubernetes.io/dra-device-attributes/resourceclaims/<claim>/<request>/<driver>-metadata.json
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dray.api.meta import Object, annotations_of
from dray.cdi.errors import CdiError
from dray.cdi.files import read_spec, write_spec
from dray.cdi.spec import new_spec
from dray.sdk.checkpoint import ReturnedDevice
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
from dray.sdk.conditions import NetworkData
from dray.sdk.devices import attribute_to_api
from dray.sdk.driver import DeviceMetadata, PreparedDevice

VERSIONS: Final = ("v1beta1", "v1alpha1")
"""Newest first."""
GROUP: Final = "metadata.resource.k8s.io"
CONTAINER_DIRECTORY: Final = "/var/run/kubernetes.io/dra-device-attributes"
POD_CLAIM_NAME: Final = "resource.kubernetes.io/pod-claim-name"
_FILE: Final = "metadata.json"

Documents = Mapping[str, Object]
"""Base request -> DeviceMetadata without apiVersion."""


class MetadataFiles:
    """The files of one driver; with no `versions` there are none."""

    def __init__(self, directory: Path, cdi_directory: Path, driver: str, versions: Sequence[str]) -> None:
        """Raises ValueError when none of `versions` is known."""
        self._versions = [version for version in VERSIONS if version in versions]
        if versions and not self._versions:
            raise ValueError(
                f"none of the requested metadata API versions {', '.join(versions)} are supported: "
                f"choose from {', '.join(VERSIONS)}"
            )
        self._directory = directory / "dra-device-metadata"
        self._cdi_directory = cdi_directory
        self._driver = driver
        # A DNS name may begin with a digit, a CDI vendor may not.
        self._kind = f"{driver if driver[:1].isalpha() else 'k8s.' + driver}/metadata"

    def describe(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> Documents:
        """What the claim's files hold at first; requests whose devices have no metadata get no file."""
        if not self._versions:
            return {}
        requests = dict.fromkeys(one.device.base_request for one in prepared if one.metadata is not None)
        return {
            request: self._document(claim, [one for one in prepared if one.device.base_request == request])
            for request in requests
        }

    def _document(self, claim: Claim, devices: Sequence[PreparedDevice]) -> Object:
        ref = claim.ref
        document: Object = {
            "kind": "DeviceMetadata",
            "metadata": {"name": ref.name, "namespace": ref.namespace, "uid": ref.uid, "generation": 1},
        }
        if pod_claim_name := annotations_of(claim.raw).get(POD_CLAIM_NAME):
            document["podClaimName"] = pod_claim_name
        names = dict.fromkeys(one.device.request for one in devices)
        document["requests"] = [
            {
                "name": name,
                "devices": [
                    self._device(one.device, one.metadata) for one in devices if one.device.request == name
                ],
            }
            for name in names
        ]
        return document

    def _device(self, device: AllocatedDevice, metadata: DeviceMetadata | None) -> Object:
        return {
            "driver": self._driver,
            "pool": device.pool,
            "name": device.device,
            **content_to_api(metadata or DeviceMetadata()),
        }

    def with_ids(
        self, uid: str, returned: Sequence[ReturnedDevice], documents: Documents
    ) -> tuple[ReturnedDevice, ...]:
        """`returned` with the id of each file on the first device of its request, which all containers get."""
        pending = set(documents)
        devices = []
        for device in returned:
            mine = [request for request in device.requests if request in pending]
            pending -= set(mine)
            ids = tuple(f"{self._kind}={_device_name(uid, request)}" for request in mine)
            devices.append(
                ReturnedDevice(
                    device.requests, device.pool, device.device, device.cdi_ids + ids, device.share_id
                )
            )
        return tuple(devices)

    def write(self, ref: ClaimRef, documents: Documents) -> None:
        """Put the claim's files in place. Raises OSError, or CdiError for names CDI has no form for."""
        for request, document in documents.items():
            path = self._host_path(ref, request)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            _write(path, self._text(document))
            spec = new_spec(
                self._kind,
                [
                    {
                        "name": _device_name(ref.uid, request),
                        "containerEdits": {"mounts": [self._mount(ref, request, document)]},
                    }
                ],
            )
            file_name = f"{self._driver}_metadata_{ref.uid}_{request}.json"
            with contextlib.suppress(CdiError, OSError):
                if read_spec(self._cdi_directory / file_name) == spec:
                    continue
            write_spec(self._cdi_directory, file_name, spec)

    def remove(self, ref: ClaimRef) -> None:
        """Remove the claim's files; only its UID and names are needed. Raises OSError."""
        if not self._versions:
            return
        for path in self._cdi_directory.glob(f"{self._driver}_metadata_{ref.uid}_*.json"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._claim_directory(ref))

    def _claim_directory(self, ref: ClaimRef) -> Path:
        return self._directory / f"{ref.namespace}_{ref.name}"

    def _host_path(self, ref: ClaimRef, request: str) -> Path:
        return self._claim_directory(ref) / request / _FILE

    def _mount(self, ref: ClaimRef, request: str, document: Object) -> Object:
        of_template = document.get("podClaimName")
        parent = f"resourceclaimtemplates/{of_template}" if of_template else f"resourceclaims/{ref.name}"
        return {
            "hostPath": str(self._host_path(ref, request).absolute()),
            "containerPath": f"{CONTAINER_DIRECTORY}/{parent}/{request}/{self._driver}-metadata.json",
            "options": ["ro", "bind"],
        }

    def _text(self, document: Object) -> bytes:
        documents = [{"apiVersion": f"{GROUP}/{version}", **document} for version in self._versions]
        return "".join(json.dumps(one, indent=2) + "\n" for one in documents).encode()


def content_to_api(metadata: DeviceMetadata) -> Object:
    """`attributes` and `networkData` of a device, in the API's form."""
    content: Object = {}
    if metadata.attributes:
        content["attributes"] = {
            name: attribute_to_api(name, value) for name, value in metadata.attributes.items()
        }
    if isinstance(metadata.network_data, NetworkData):
        content["networkData"] = metadata.network_data.to_api()
    return content


def updated(documents: Documents, changes: Mapping[tuple[str, str], DeviceMetadata]) -> Documents:
    """`documents` with new content for the devices (pool, name) in `changes`, as a new generation."""
    new = {}
    for request, document in documents.items():
        requests = [
            {
                **entry,
                "devices": [_changed(device, changes) for device in entry["devices"]],
            }
            for entry in document["requests"]
        ]
        if requests != document["requests"]:
            generation = document["metadata"]["generation"] + 1
            document = {
                **document,
                "metadata": {**document["metadata"], "generation": generation},
                "requests": requests,
            }
        new[request] = document
    return new


def _changed(device: Object, changes: Mapping[tuple[str, str], DeviceMetadata]) -> Object:
    change = changes.get((device["pool"], device["name"]))
    if change is None:
        return device
    identity = {key: device[key] for key in ("driver", "pool", "name")}
    return {**identity, **content_to_api(change)}


def _device_name(uid: str, request: str) -> str:
    return f"{uid}_{request}"


def _write(path: Path, data: bytes) -> None:
    try:
        if path.read_bytes() == data:
            return
        # Containers have this very file mounted: a new one under its name would never reach them. One write of the
        # whole keeps the moment short in which a reader could see a part of it.
        with path.open("r+b", buffering=0) as file:
            file.write(data)
            file.truncate()
    except FileNotFoundError:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_bytes(data)
        temporary.chmod(0o644)
        temporary.replace(path)


def read_metadata(path: Path) -> Object:
    """For programs in containers: the newest document in the file whose version is known here.

    Raises ValueError when there is none, or a document of a known version is damaged, and OSError.
    """
    text, position = path.read_text(), 0
    decoder, blank = json.JSONDecoder(), re.compile(r"\s*")
    versions = []
    while (position := blank.match(text, position).end()) < len(text):  # type: ignore[union-attr]
        document, position = decoder.raw_decode(text, position)
        api_version = document.get("apiVersion") if isinstance(document, dict) else None
        if api_version in {f"{GROUP}/{version}" for version in VERSIONS}:
            if not isinstance(document.get("requests"), list):
                raise ValueError(f"{path}: the document of {api_version} has no list of requests")
            found: Object = document
            return found
        versions.append(str(api_version))
    raise ValueError(f"{path} has no document of a known version, only {', '.join(versions) or 'nothing'}")
