"""Where the data of a PersistentVolume lies: one source, which names secrets together with their namespaces."""

import dataclasses
from collections.abc import Mapping
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, required
from dray.api.meta import Object
from dray.api.validation.core.driver_name import validate_driver_name
from dray.api.validation.lists import Check
from dray.api.validation.pod.mounts import validate_no_backsteps
from dray.api.validation.pod.storage import STORAGE
from dray.api.validation.pod.volumes import SOURCES

_SECRETS_OF_DRIVER: Final = (
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef",
)  # fmt: skip
_RESERVED: Final = (".kubernetes.io", ".k8s.io")
_LONGEST_PORTAL: Final = 64
_PORTAL_TEXT: Final = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is "
    "specified."
)


def validate_volume_source(spec: Object, name: str, path: Path) -> list[FieldError]:
    """`name` is the volume's: some of the sources must fit together with it."""
    given = [source for source in SOURCES_OF_VOLUME if spec.get(source) is not None]
    if not given:
        return [required(path, "must specify a volume type")]
    errors: list[FieldError] = []
    for number, source in enumerate(given):
        if number and source != "flexVolume":
            at = path.child(_SHOWN.get(source, source))
            errors.append(forbidden(at, "may not specify more than 1 volume type"))
            continue
        errors += SOURCES_OF_VOLUME[source](spec[source], path.child(source))
        if source == "iscsi":
            errors += _validate_portal(spec[source], name, path.child(source))
        if source == "local" and spec.get("nodeAffinity") is None:
            errors.append(required(path.child("nodeAffinity"), "Local volume requires node affinity"))
    return errors


def _validate_portal(source: Object, name: str, path: Path) -> list[FieldError]:
    portal = source.get("targetPortal") or ""
    if source.get("initiatorName") is None or names.byte_length(f"{name}:{portal}") <= _LONGEST_PORTAL:
        return []
    return [invalid(path.child("targetportal"), portal, _PORTAL_TEXT)]


def _validate_local(source: Object, path: Path) -> list[FieldError]:
    text, at = source.get("path") or "", path.child("path")
    return validate_no_backsteps(text, at) if text else [required(at)]


def _validate_glusterfs(source: Object, path: Path) -> list[FieldError]:
    errors = STORAGE["glusterfs"](source, path)
    space, at = source.get("endpointsNamespace"), path.child("endpointsNamespace")
    if space == "":
        text = "if the endpointnamespace is set, it must be a valid namespace name"
        return [*errors, invalid(at, space, text)]
    return errors + [invalid(at, space, text) for text in names.dns_label(space or "a")]


def _validate_azure_file(source: Object, path: Path) -> list[FieldError]:
    errors = STORAGE["azureFile"](source, path)
    return errors + [required(path.child("secretNamespace"))] * (source.get("secretNamespace") == "")


def _with_secret(source: str) -> Check:
    """The check of a source that may name a secret, which then has a name and a namespace."""

    def check(found: Object, path: Path) -> list[FieldError]:
        errors = STORAGE[source](found, path)
        if (secret := found.get("secretRef")) is not None and not secret.get("namespace"):
            errors.append(required(path.child("secretRef", "namespace")))
        return errors

    return check


def _validate_iscsi(source: Object, path: Path) -> list[FieldError]:
    found = STORAGE["iscsi"](source, path)
    # Of a pod's own volumes Kubernetes tells more.
    errors = [
        dataclasses.replace(error, detail=error.detail.partition(" starting with ")[0]) for error in found
    ]
    if (secret := source.get("secretRef")) is not None and not secret.get("name"):
        errors.append(required(path.child("secretRef", "name")))
    return errors


def _validate_flex(source: Object, path: Path) -> list[FieldError]:
    errors = STORAGE["flexVolume"](source, path)
    for option in source.get("options") or {}:
        if f".{option.partition('/')[0].lower()}".endswith(_RESERVED):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(invalid(path.child("options").key(option), option, text))
    return errors


def _validate_csi(source: Object, path: Path) -> list[FieldError]:
    errors = validate_driver_name(source.get("driver") or "", path.child("driver"))
    if not source.get("volumeHandle"):
        errors.append(required(path.child("volumeHandle")))
    for field in _SECRETS_OF_DRIVER:
        if (secret := source.get(field)) is not None:
            errors += _validate_secret(secret, path.child(field))
    return errors


def _validate_secret(secret: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, rule in (("name", names.dns_subdomain), ("namespace", names.dns_label)):
        text, at = secret.get(field) or "", path.child(field)
        errors += [invalid(at, text, problem) for problem in rule(text)] if text else [required(at)]
    return errors


SOURCES_OF_VOLUME: Final[Mapping[str, Check]] = {
    "hostPath": SOURCES["hostPath"],
    "gcePersistentDisk": STORAGE["gcePersistentDisk"],
    "awsElasticBlockStore": STORAGE["awsElasticBlockStore"],
    "glusterfs": _validate_glusterfs,
    "flocker": STORAGE["flocker"],
    "nfs": SOURCES["nfs"],
    "rbd": STORAGE["rbd"],
    "quobyte": STORAGE["quobyte"],
    "cephfs": STORAGE["cephfs"],
    "iscsi": _validate_iscsi,
    "cinder": _with_secret("cinder"),
    "fc": STORAGE["fc"],
    "flexVolume": _validate_flex,
    "azureFile": _validate_azure_file,
    "vsphereVolume": STORAGE["vsphereVolume"],
    "photonPersistentDisk": STORAGE["photonPersistentDisk"],
    "portworxVolume": STORAGE["portworxVolume"],
    "azureDisk": STORAGE["azureDisk"],
    "scaleIO": STORAGE["scaleIO"],
    "local": _validate_local,
    "storageos": _with_secret("storageos"),
    "csi": _validate_csi,
}
"""In the order in which Kubernetes looks for them."""
_SHOWN: Final = {"cephfs": "cephFS"}
