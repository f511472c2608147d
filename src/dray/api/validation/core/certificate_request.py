"""CertificateSigningRequests: what may be asked for, and which conditions and certificates may be written, by whom.

What an object has wrong already is tolerated when it is changed, but for its request: that is read each time.
"""

import base64
import binascii
import dataclasses
from collections.abc import Sequence
from typing import Final

from dray.api import names
from dray.api.certificates import pem
from dray.api.certificates.der import DerError, Reader
from dray.api.certificates.request import RequestError, parse_request
from dray.api.fields import (
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from dray.api.meta import Object
from dray.api.validation.lists import items_of, repeated

LEGACY_SIGNER: Final = "kubernetes.io/legacy-unknown"
APPROVED: Final = "Approved"
DENIED: Final = "Denied"
FAILED: Final = "Failed"

_SPEC: Final = Path("spec")
_CONDITIONS: Final = Path("status.conditions")
_CERTIFICATE: Final = Path("status.certificate")
_MIN_SECONDS: Final = 600
_DOMAIN_MAX: Final = 253
_SIGNER_MAX: Final = 571
"""A domain, a namespace and a name, with a slash and a dot between."""
_USAGES: Final = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
_STATUSES: Final = ("False", "True", "Unknown")


@dataclasses.dataclass(frozen=True, slots=True)
class Rights:
    """What an endpoint may change beyond metadata."""

    decision: bool = False
    """Whether the request is approved or denied."""
    certificate: bool = False


def validate_create(obj: Object) -> list[FieldError]:
    return _validate(obj, {})


def validate_update(obj: Object, old: Object, rights: Rights) -> list[FieldError]:
    errors = _validate(obj, old)
    for kind in (APPROVED, DENIED, FAILED):
        if _count(obj, kind) < _count(old, kind):
            text = f'updates may not remove a condition of type "{kind}"'
            errors.append(forbidden(_CONDITIONS, text))
    if not rights.decision:
        errors += [
            forbidden(_CONDITIONS, f'updates may not add a condition of type "{kind}"')
            for kind in (APPROVED, DENIED)
            if _count(obj, kind) > _count(old, kind)
        ]
    before = certificate_of(old)
    if certificate_of(obj) != before:
        if not rights.certificate:
            errors.append(forbidden(_CERTIFICATE, "updates may not set certificate content"))
        elif before:
            errors.append(forbidden(_CERTIFICATE, "updates may not modify existing certificate content"))
    return errors


def certificate_of(obj: Object) -> str:
    """In base64."""
    return (obj.get("status") or {}).get("certificate") or ""


def conditions_of(obj: Object) -> list[Object]:
    return items_of((obj.get("status") or {}).get("conditions"))


def condition_types(obj: Object) -> list[str]:
    return [condition.get("type") or "" for condition in conditions_of(obj)]


def _count(obj: Object, kind: str) -> int:
    return condition_types(obj).count(kind)


def _validate(obj: Object, old: Object) -> list[FieldError]:
    spec, old_spec = obj.get("spec") or {}, old.get("spec") or {}
    errors = _validate_request(spec.get("request"))
    errors += _validate_usages(spec.get("usages") or (), old_spec.get("usages") or ())
    path, signer = _SPEC.child("signerName"), spec.get("signerName") or ""
    if signer != LEGACY_SIGNER:
        errors += validate_signer_name(path, signer)
    elif old_spec.get("signerName") != LEGACY_SIGNER:
        errors.append(invalid(path, signer, "the legacy signerName is not allowed via this API version"))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_SECONDS:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        errors.append(invalid(_SPEC.child("expirationSeconds"), seconds, text))
    errors += _validate_conditions(obj, old)
    if why := _new_certificate_fault(certificate_of(obj), old):
        errors.append(invalid(_CERTIFICATE, "<certificate data>", why))
    return errors


def _validate_request(request: str | None) -> list[FieldError]:
    try:
        parse_request(_decoded(request)).check_signature()
    except RequestError as error:
        return [invalid(_SPEC.child("request"), request, str(error))]
    return []


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "")
    except binascii.Error:
        return b""


def _validate_usages(usages: Sequence[str], old: Sequence[str]) -> list[FieldError]:
    path = _SPEC.child("usages")
    errors = [] if usages else [required(path)]
    if not set(old) - set(_USAGES):
        errors += [
            not_supported(path.index(position), usage, _USAGES)
            for position, usage in enumerate(usages)
            if usage not in _USAGES
        ]
    if len(set(old)) == len(old):
        errors += [duplicate(path.index(position), usages[position]) for position in repeated(usages)]
    return errors


def validate_signer_name(path: Path, name: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(path, name, text)]
    errors: list[FieldError] = []
    if names.byte_length(domain) > _DOMAIN_MAX:
        errors.append(too_long(path, _DOMAIN_MAX))
    errors += _first_fault(path, domain, names.dns_label)
    if "." not in domain:
        errors.append(
            invalid(path, domain, "should be a domain with at least two segments separated by dots")
        )
    errors += _first_fault(path, rest, names.dns_subdomain)
    if names.byte_length(name) > _SIGNER_MAX:
        errors.append(too_long(path, _SIGNER_MAX))
    return errors


def _first_fault(path: Path, text: str, rule: names.NameRule) -> list[FieldError]:
    """What the first of the parts between dots that is wrong has against it."""
    for label in text.split("."):
        if complaints := rule(label):
            return [
                invalid(path, text, f'validating label "{label}": {complaint}') for complaint in complaints
            ]
    return []


def _validate_conditions(obj: Object, old: Object) -> list[FieldError]:
    old_types = condition_types(old)
    may_contradict = {APPROVED, DENIED} <= set(old_types)
    may_repeat = len(set(old_types)) < len(old_types)
    errors: list[FieldError] = []
    seen: set[str] = set()
    for position, condition in enumerate(conditions_of(obj)):
        path, kind = _CONDITIONS.index(position), condition.get("type") or ""
        if not kind and "" not in old_types:
            errors.append(required(path.child("type")))
        errors += _validate_condition_status(path.child("status"), kind, condition.get("status") or "")
        if kind in (APPROVED, DENIED) and not may_contradict and {APPROVED, DENIED} - {kind} <= seen:
            errors.append(invalid(_CONDITIONS, kind, "Approved and Denied conditions are mutually exclusive"))
        if kind in seen and not may_repeat:
            errors.append(duplicate(path.child("type"), kind))
        seen.add(kind)
    return errors


def _validate_condition_status(path: Path, kind: str, status: str) -> list[FieldError]:
    allowed = ("True",) if kind in (APPROVED, DENIED, FAILED) else _STATUSES
    if not status:
        return [required(path)]
    return [] if status in allowed else [not_supported(path, status, allowed)]


def _new_certificate_fault(certificate: str, old: Object) -> str:
    """Empty also where it is none of this write's doing."""
    if old and (certificate == certificate_of(old) or _certificate_fault(certificate_of(old))):
        return ""
    return _certificate_fault(certificate)


def _certificate_fault(text: str) -> str:
    """What is wrong with a certificate that is to be written; "" for nothing, also where there is none."""
    data = _decoded(text)
    if not data:
        return ""
    found = list(pem.blocks(data))
    for block in found:
        if block.type != pem.CERTIFICATE:
            return f'only CERTIFICATE PEM blocks are allowed, found "{block.type}"'
        if block.has_headers:
            return "no PEM block headers are permitted"
        if why := _chain_fault(block.content):
            return why
    return "" if found else "must contain at least one CERTIFICATE PEM block"


def _chain_fault(content: bytes) -> str:
    """One block may hold several certificates."""
    from cryptography import x509  # here: few writes are certificates

    if not content:
        return "found CERTIFICATE PEM block containing 0 certificates"
    reader = Reader(content)
    try:
        while reader:
            x509.load_der_x509_certificate(reader.any().whole)
    except (DerError, ValueError):
        return "x509: malformed certificate"
    return ""
