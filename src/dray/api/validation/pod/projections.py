"""Projected volumes: files of several sources, each at a place of its own."""

from collections.abc import Mapping
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.core.certificate_request import validate_signer_name
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import Check, items_of
from dray.api.validation.meta import validate_annotations
from dray.api.validation.pod.internal import FORMS
from dray.api.validation.pod.mounts import validate_local_path
from dray.api.validation.pod.volume_files import (
    validate_downward,
    validate_files,
    validate_mode,
    validate_place,
)

_MIN_TOKEN_SECONDS, _MAX_TOKEN_SECONDS = 600, 2**32
_SHORTEST: Final = 3600
_LONGEST: Final = 91 * 86400
_LONGEST_OF_KUBERNETES: Final = 86400
"""Seconds for which certificates may be asked for, also of the signers of Kubernetes itself."""
_OWN: Final = "kubernetes.io"
_KEY_TYPES: Final = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_PLACES: Final = ("credentialBundlePath", "keyPath", "certificateChainPath")
_TAKEN: Final = "conflicting duplicate paths"


def validate_projected(source: Object, path: Path) -> list[FieldError]:
    errors = validate_mode(source, "defaultMode", path)
    taken: set[str] = set()
    for index, projection in enumerate(items_of(source.get("sources"))):
        at = path.child("sources").index(index)
        kinds = [kind for kind in _PROJECTIONS if projection.get(kind) is not None]
        for kind in kinds:
            errors += _PROJECTIONS[kind](projection[kind], at.child(kind))
            errors += _check_places(kind, projection[kind], at.child(kind), taken, path)
        if len(kinds) > 1:
            errors.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return errors


def _check_places(kind: str, source: Object, path: Path, taken: set[str], whole: Path) -> list[FieldError]:
    """No two files of the volume, whose path is `whole`, may come to one place.

    Whole sources are not looked into, nor are tokens compared.
    """
    if kind == "serviceAccountToken":
        at = whole.child("path")  # Kubernetes does not tell which of the sources is meant.
        return validate_local_path(source["path"], at) if source.get("path") else [required(at)]
    if kind == "clusterTrustBundle":
        return _take(source.get("path") or "", taken, whole)
    if kind == "podCertificate":
        return _check_certificate_places(source, path, taken, whole)
    errors: list[FieldError] = []
    for item in items_of(source.get("items")):
        place = item.get("path") or ""
        if place and place in taken:
            shown = place if kind == "downwardAPI" else source.get("name") or ""
            errors.append(invalid(whole, shown, _TAKEN))
        taken.add(place)
    return errors


def _check_certificate_places(source: Object, path: Path, taken: set[str], whole: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    places = [(field, source[field]) for field in _PLACES if source.get(field)]
    for field, place in places:
        errors += validate_place(place, path.child(field))
        errors += _take(place, taken, whole)
    if not places:
        text = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        errors.append(required(path, text))
    return errors


def _take(place: str, taken: set[str], whole: Path) -> list[FieldError]:
    errors = [invalid(whole, place, _TAKEN)] if place in taken else []
    taken.add(place)
    return errors


def _validate_projected_map(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("name") else [required(path.child("name"))]
    return errors + validate_files(source, path)


def _validate_token(source: Object, path: Path) -> list[FieldError]:
    seconds, at = source.get("expirationSeconds") or 0, path.child("expirationSeconds")
    errors: list[FieldError] = []
    if seconds < _MIN_TOKEN_SECONDS:
        errors.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
    elif seconds > _MAX_TOKEN_SECONDS:
        errors.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    return errors


def _validate_trust(source: Object, path: Path) -> list[FieldError]:
    """Of one bundle by its name, or of all bundles of a signer that a selector chooses."""
    name, signer, selector = (source.get(field) for field in ("name", "signerName", "labelSelector"))
    errors: list[FieldError] = []
    if name is not None and signer is not None:
        text = "only one of name and signerName may be used"
        errors.append(invalid(path, FORMS.show("ClusterTrustBundle", source), text))
    elif name is not None:
        errors += _validate_bundle_name(name, path.child("name"))
        if selector is not None:
            shown, text = FORMS.show("meta", selector), "labelSelector must be unset if name is specified"
            errors.append(invalid(path.child("labelSelector"), shown, text))
    elif signer is not None:
        at = path.child("signerName")
        errors += [] if signer else [required(at, "must be a valid signer name")]
        errors += validate_signer_name(at, signer)
        errors += validate_label_selector(selector, path.child("labelSelector"))
    else:
        errors.append(required(path, "either name or signerName must be specified"))
    place, at = source.get("path") or "", path.child("path")
    return errors + (validate_place(place, at) if place else [required(at)])


def _validate_bundle_name(name: str, path: Path) -> list[FieldError]:
    """Where it is a signer's it begins with the signer's name, with colons for slashes."""
    errors = [] if name else [required(path, "must be a valid object name")]
    signer, _, rest = name.rpartition(":")
    problems = names.dns_subdomain(rest)
    if not signer and ":" in name:
        problems = ['ClusterTrustBundle without signer name must not have ":" in its name']
    return errors + [invalid(path, name, f"not a valid clustertrustbundlename: {text}") for text in problems]


def _validate_certificate(source: Object, path: Path) -> list[FieldError]:
    signer = source.get("signerName") or ""
    errors = validate_signer_name(path.child("signerName"), signer)
    annotations, at = source.get("userAnnotations") or {}, path.child("userAnnotations")
    errors += validate_annotations(annotations, at)
    errors += [
        invalid(at, key, 'must be a domain-prefixed key (such as "acme.io/foo")')
        for key in annotations
        if "/" not in key and not names.qualified_name(key.lower())
    ]
    key_type = source.get("keyType") or ""
    if key_type not in _KEY_TYPES:
        errors.append(not_supported(path.child("keyType"), key_type, _KEY_TYPES, in_order=True))
    return errors + _validate_lifetime(
        source.get("maxExpirationSeconds"), signer, path.child("maxExpirationSeconds")
    )


def _validate_lifetime(seconds: int | None, signer: str, path: Path) -> list[FieldError]:
    if seconds is None:
        return []
    errors: list[FieldError] = []
    if seconds < _SHORTEST:
        errors.append(invalid(path, seconds, f"if provided, maxExpirationSeconds must be >= {_SHORTEST}"))
    domain = signer.partition("/")[0]
    longest = _LONGEST_OF_KUBERNETES if domain == _OWN or domain.endswith(f".{_OWN}") else _LONGEST
    if seconds > longest:
        errors.append(invalid(path, seconds, f"if provided, maxExpirationSeconds must be <= {longest}"))
    return errors


_PROJECTIONS: Final[Mapping[str, Check]] = {
    "secret": _validate_projected_map,
    "configMap": _validate_projected_map,
    "downwardAPI": validate_downward,
    "serviceAccountToken": _validate_token,
    "clusterTrustBundle": _validate_trust,
    "podCertificate": _validate_certificate,
}
