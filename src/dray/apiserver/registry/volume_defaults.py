"""Defaults of a pod's volumes and of the claims they stand for."""

import re
from collections.abc import Mapping
from typing import Final

from dray.api.meta import Object
from dray.api.validation.lists import items_of

FILE_MODE = 0o644
TOKEN_SECONDS = 3600

_REFERENCE: Final = re.compile(
    r"""(?x)
    (?P<path>
        (?P<registry>(localhost | [a-zA-Z0-9-]*[A-Z][a-zA-Z0-9.-]* | [a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+ | [a-zA-Z0-9.-]+(?=:[0-9]+/))(:[0-9]+)?/)?
        [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
    )
    (:(?P<tag>\w[\w.-]{0,127}))?
    (@(?P<digest>[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?""",
    re.ASCII,
)
"""An image: `[registry[:port]/]path[:tag][@digest]`. The policy of any other text is that of a pinned image."""
_DEFAULTS: Final[Mapping[str, Mapping[str, str]]] = {
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_DISK_DEFAULTS: Final = {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4"}
_IDENTIFIER: Final = re.compile("[a-f0-9]{64}")
_LONGEST_PATH: Final = 255


def default_volume(volume: Object) -> None:
    """A volume without a source is an empty directory."""
    sources = [key for key, value in volume.items() if key != "name" and value is not None]
    if not sources:
        volume["emptyDir"] = {}
        return
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if volume.get(source) is not None and volume[source].get("defaultMode") is None:
            volume[source]["defaultMode"] = FILE_MODE
    default_storage(volume)
    image = volume.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = default_pull_policy(image.get("reference") or "")
    _default_field_references(volume.get("downwardAPI"))
    for projection in items_of((volume.get("projected") or {}).get("sources")):
        _default_projection(projection)
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if template is not None:
        default_volume_claim_spec(template.setdefault("spec", {}))


def default_storage(holder: Object) -> None:
    """Defaults of the sources that volumes of pods and volumes of their own have in common."""
    if holder.get("hostPath") is not None and holder["hostPath"].get("type") is None:
        holder["hostPath"]["type"] = ""
    for source, values in _DEFAULTS.items():
        if holder.get(source) is not None:
            _fill(holder[source], values)
    disk = holder.get("azureDisk")
    if disk is not None:
        for field, value in {**_DISK_DEFAULTS, "readOnly": False}.items():
            if disk.get(field) is None:
                disk[field] = value


def _fill(source: Object, values: Mapping[str, str]) -> None:
    for field, value in values.items():
        if not source.get(field):
            source[field] = value


def _whole_path(found: re.Match[str]) -> str:
    """With the registry and the folder that an image has which names none."""
    if found["registry"]:
        return found["path"]
    return f"docker.io/{found['path']}" if "/" in found["path"] else f"docker.io/library/{found['path']}"


def default_pull_policy(image: str) -> str:
    """Always for `latest`, said or implied; an image pinned by tag or digest is pulled once."""
    found = _REFERENCE.fullmatch(image)
    if found is None or len(_whole_path(found)) > _LONGEST_PATH or _IDENTIFIER.fullmatch(image):
        return "IfNotPresent"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def default_volume_claim_spec(spec: Object) -> None:
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"


def _default_projection(source: Object) -> None:
    _default_field_references(source.get("downwardAPI"))
    token = source.get("serviceAccountToken")
    if token is not None and token.get("expirationSeconds") is None:
        token["expirationSeconds"] = TOKEN_SECONDS


def _default_field_references(source: Object | None) -> None:
    for item in items_of((source or {}).get("items")):
        reference = item.get("fieldRef")
        if reference is not None and not reference.get("apiVersion"):
            reference["apiVersion"] = "v1"
