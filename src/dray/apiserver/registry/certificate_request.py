"""CertificateSigningRequest: who asked for which certificate, whether that was approved, and the certificate itself.

Nothing here signs: a controller of the cluster does, and writes the certificate to `status`.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from typing import Any

from dray.api.duration import human_duration
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object, format_time
from dray.api.resources import Resource
from dray.apiserver.registry.columns import AGE, NAME, NONE, Cell, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import old_of, restore

CERTIFICATE_SIGNING_REQUESTS = Resource(
    "certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", False
)

_SPEC = Path("spec")
_DECISIONS = ("Approved", "Denied")
_MIN_SECONDS = 600
_HEADER = b"-----BEGIN CERTIFICATE REQUEST-----"
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip


def _prepare_create(context: WriteContext, obj: Object) -> None:
    """The server says who asks; nobody creates an approved request."""
    spec = obj.setdefault("spec", {})
    user = context.user
    said: Object = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    for field, value in said.items():
        spec.pop(field, None)
        if value:
            spec[field] = value
    obj["status"] = {}


def _prepare_update(context: WriteContext, obj: Object) -> None:
    restore(obj, old_of(context), "spec")
    restore(obj, old_of(context), "status")


def _conditions(obj: Object) -> list[Object]:
    return list(find(obj, "status", "conditions", default=()))


def _decisions(obj: Object) -> list[Object]:
    return [condition for condition in _conditions(obj) if condition.get("type") in _DECISIONS]


def _stamped(conditions: Sequence[Object], old: Sequence[Object], now: dt.datetime) -> list[Object]:
    """With the times that the writer left out: an unchanged condition keeps its own."""
    before = {condition.get("type"): condition for condition in old}
    return [_with_times(condition, before.get(condition.get("type")), now) for condition in conditions]


def _with_times(condition: Object, old: Object | None, now: dt.datetime) -> Object:
    changed = old is None or old.get("status") != condition.get("status")
    transition: Any = format_time(now) if changed or old is None else old.get("lastTransitionTime")
    return {
        **condition,
        "lastUpdateTime": condition.get("lastUpdateTime") or format_time(now),
        "lastTransitionTime": condition.get("lastTransitionTime") or transition,
    }


def _prepare_approval(context: WriteContext, obj: Object) -> None:
    old = old_of(context)
    conditions = _stamped(_conditions(obj), _conditions(old), context.now)
    restore(obj, old, "spec")
    obj["status"] = {**(old.get("status") or {}), "conditions": conditions}


def _prepare_status(context: WriteContext, obj: Object) -> None:
    """A signer writes the certificate, and its own conditions; the decision is not its to change."""
    old = old_of(context)
    others = [condition for condition in _conditions(obj) if condition.get("type") not in _DECISIONS]
    restore(obj, old, "spec")
    conditions = _stamped([*_decisions(old), *others], _conditions(old), context.now)
    status = {**(obj.get("status") or {}), "conditions": conditions}
    if not conditions:
        del status["conditions"]
    obj["status"] = status


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = _validate_request(spec.get("request"))
    usages = spec.get("usages") or ()
    if not usages:
        errors.append(required(_SPEC.child("usages")))
    for position, usage in enumerate(usages):
        if usage not in _USAGES:
            errors.append(not_supported(_SPEC.child("usages").index(position), usage, _USAGES))
    errors += _validate_signer(spec.get("signerName") or "")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_SECONDS:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        errors.append(invalid(_SPEC.child("expirationSeconds"), seconds, text))
    return errors


def _validate_request(request: str | None) -> list[FieldError]:
    try:
        data = base64.b64decode(request or "")
    except binascii.Error:
        data = b""
    if _HEADER in data:
        return []
    text = "PEM block type must be CERTIFICATE REQUEST"
    return [invalid(_SPEC.child("request"), request or "", text)]


def _validate_signer(name: str) -> list[FieldError]:
    path = _SPEC.child("signerName")
    if not name:
        return [required(path)]
    if name == "kubernetes.io/legacy-unknown":
        return [invalid(path, name, "the legacy signerName is not allowed via this API version")]
    if "." not in name.partition("/")[0] or not name.partition("/")[2]:
        return [
            invalid(
                path, name, 'must be a fully qualified domain and path of the form "example.com/signer-name"'
            )
        ]
    return []


def _validate_decision(context: WriteContext, obj: Object) -> list[FieldError]:
    path = Path("status.conditions")
    given = {condition["type"] for condition in _decisions(obj)}
    missing = {condition["type"] for condition in _decisions(old_of(context))} - given
    errors = [
        forbidden(path, f'updates may not remove a condition of type "{kind}"') for kind in sorted(missing)
    ]
    if given == set(_DECISIONS):
        errors.append(invalid(path, None, "Approved and Denied conditions are mutually exclusive"))
    return errors


def _requested_duration(obj: Object, now: dt.datetime) -> str:
    seconds = find(obj, "spec", "expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


def _state(obj: Object, now: dt.datetime) -> str:
    types = {condition.get("type") for condition in _conditions(obj)}
    words = ["Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"]
    if "Failed" in types:
        words.append("Failed")
    if find(obj, "status", "certificate"):
        words.append("Issued")
    return ",".join(words)


_SIGNER: Cell = at("spec", "signerName")

CERTIFICATE_SIGNING_REQUEST = Kind(
    CERTIFICATE_SIGNING_REQUESTS,
    singular="certificatesigningrequest",
    short_names=("csr",),
    columns=(
        NAME,
        AGE,
        Column("SignerName", _SIGNER, description="Who shall sign."),
        Column("Requestor", at("spec", "username"), description="Who asks."),
        Column("RequestedDuration", _requested_duration, description="How long it shall be valid."),
        Column("Condition", _state, description="What has become of it."),
    ),
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate,
    status=StatusStrategy(_prepare_status, _validate_decision),
    updatable={"approval": StatusStrategy(_prepare_approval, _validate_decision)},
    field_labels={"spec.signerName": lambda obj: str(find(obj, "spec", "signerName", default=""))},
)
