"""Volumes of a pod: one source each, and what the common sources need."""

from collections.abc import Mapping

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.core.driver_name import validate_driver_name
from dray.api.validation.core.volume_claim import validate_claim_spec
from dray.api.validation.lists import Check
from dray.api.validation.meta import validate_template_metadata
from dray.api.validation.pod.mounts import validate_no_backsteps
from dray.api.validation.pod.projections import validate_projected
from dray.api.validation.pod.storage import STORAGE
from dray.api.validation.pod.volume_files import validate_downward, validate_files

_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def validate_volumes(
    volumes: list[Object], path: Path, *, is_pod: bool = False
) -> tuple[dict[str, Object], list[FieldError]]:
    """The volumes that are in order, by name, and the findings on the others."""
    good: dict[str, Object] = {}
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        at = path.index(index)
        name = volume.get("name") or ""
        found = _validate_source(volume, at, is_pod=is_pod)
        if not name:
            found.append(required(at.child("name")))
        else:
            found += [invalid(at.child("name"), name, text) for text in names.dns_label(name)]
        if name in good:
            found.append(duplicate(at.child("name"), name))
        if found:
            errors += found
        else:
            good[name] = volume
    return good, errors


def _validate_source(volume: Object, path: Path, *, is_pod: bool) -> list[FieldError]:
    sources = [source for source in SOURCES if volume.get(source) is not None]
    if not sources:
        return [required(path, "must specify a volume type")]
    errors: list[FieldError] = []
    if is_pod and sources[0] == "image" and not volume["image"].get("reference"):
        errors.append(required(path.child("image", "reference")))
    errors += SOURCES[sources[0]](volume[sources[0]], path.child(sources[0]))
    for source in sources[1:]:
        at = path.child(_MISSPELT.get(source, source))
        errors.append(forbidden(at, "may not specify more than 1 volume type"))
    return errors


def _validate_empty_dir(source: Object, path: Path) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit).sign() < 0:
        return [forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity")]
    return []


def _validate_host_path(source: Object, path: Path) -> list[FieldError]:
    text = source.get("path") or ""
    if not text:
        return [required(path.child("path"))]
    errors = validate_no_backsteps(text, path.child("path"))
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(not_supported(path.child("type"), kind, _HOST_PATH_TYPES))
    return errors


def _validate_secret(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(path.child("secretName"))]
    return errors + validate_files(source, path)


def _validate_config_map(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("name") else [required(path.child("name"))]
    return errors + validate_files(source, path)


def _validate_image(source: Object, path: Path) -> list[FieldError]:
    """What is missing is told of pods alone: something else may add it to those that are made from a template."""
    policy = source.get("pullPolicy") or ""
    if policy and policy not in _PULL_POLICIES:
        return [not_supported(path.child("pullPolicy"), policy, _PULL_POLICIES)]
    return []


def _validate_ephemeral(source: Object, path: Path) -> list[FieldError]:
    """A claim of the pod's own, made from a template that may name labels and annotations."""
    template, at = source.get("volumeClaimTemplate"), path.child("volumeClaimTemplate")
    if template is None:
        return [required(at)]
    errors = validate_template_metadata(template.get("metadata") or {}, at.child("metadata"))
    return errors + validate_claim_spec(template.get("spec") or {}, at.child("spec"))


def _validate_claim(source: Object, path: Path) -> list[FieldError]:
    return [] if source.get("claimName") else [required(path.child("claimName"))]


def _validate_csi(source: Object, path: Path) -> list[FieldError]:
    errors = validate_driver_name(source.get("driver") or "", path.child("driver"))
    secret = source.get("nodePublishSecretRef")
    if secret is None:
        return errors
    if not (name := secret.get("name") or ""):
        return [*errors, required(path.child("nodePublishSecretRef", "name"))]
    return errors + [invalid(path.child("name"), name, text) for text in names.dns_subdomain(name)]


def _validate_nfs(source: Object, path: Path) -> list[FieldError]:
    errors = [required(path.child(field)) for field in ("server", "path") if not source.get(field)]
    if source.get("path") and not source["path"].startswith("/"):
        errors.append(invalid(path.child("path"), source["path"], "must be an absolute path"))
    return errors


SOURCES: Mapping[str, Check] = {
    "emptyDir": _validate_empty_dir,
    "hostPath": _validate_host_path,
    "gitRepo": STORAGE["gitRepo"],
    "gcePersistentDisk": STORAGE["gcePersistentDisk"],
    "awsElasticBlockStore": STORAGE["awsElasticBlockStore"],
    "secret": _validate_secret,
    "nfs": _validate_nfs,
    "iscsi": STORAGE["iscsi"],
    "glusterfs": STORAGE["glusterfs"],
    "flocker": STORAGE["flocker"],
    "persistentVolumeClaim": _validate_claim,
    "rbd": STORAGE["rbd"],
    "cinder": STORAGE["cinder"],
    "cephfs": STORAGE["cephfs"],
    "quobyte": STORAGE["quobyte"],
    "downwardAPI": validate_downward,
    "fc": STORAGE["fc"],
    "flexVolume": STORAGE["flexVolume"],
    "configMap": _validate_config_map,
    "azureFile": STORAGE["azureFile"],
    "vsphereVolume": STORAGE["vsphereVolume"],
    "photonPersistentDisk": STORAGE["photonPersistentDisk"],
    "portworxVolume": STORAGE["portworxVolume"],
    "azureDisk": STORAGE["azureDisk"],
    "storageos": STORAGE["storageos"],
    "projected": validate_projected,
    "scaleIO": STORAGE["scaleIO"],
    "csi": _validate_csi,
    "ephemeral": _validate_ephemeral,
    "image": _validate_image,
}
"""In the order in which Kubernetes looks for them."""
_MISSPELT = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
