"""CertificateSigningRequest: who asked for which certificate, whether that was approved, and the certificate itself.

Nothing here signs: controllers do, and write the certificate to `status`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from dray.api import names
from dray.api.duration import human_duration
from dray.api.fields import FieldError
from dray.api.meta import Object, format_time
from dray.api.resources import CERTIFICATE_SIGNING_REQUESTS
from dray.api.validation.core.certificate_request import (
    APPROVED,
    DENIED,
    FAILED,
    Rights,
    certificate_of,
    condition_types,
    conditions_of,
    validate_create,
    validate_update,
)
from dray.apiserver.registry.columns import AGE, NAME, NONE, Cell, at, find
from dray.apiserver.registry.kind import Column, Kind, MetadataCheck, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import old_of, restore

_CHECKS: Final[tuple[MetadataCheck, ...]] = ("whole", "change")


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


def _prepare_approval(context: WriteContext, obj: Object) -> None:
    """Who approves writes conditions, and nothing else."""
    old = old_of(context)
    conditions = _stamped(conditions_of(obj), old, context.now)
    restore(obj, old, "spec")
    obj["status"] = _with_conditions(old.get("status") or {}, conditions)


def _prepare_status(context: WriteContext, obj: Object) -> None:
    """A signer writes the certificate and its own conditions. Decisions stay as they were; one more is a finding."""
    old = old_of(context)
    conditions = conditions_of(obj)
    for kind in (APPROVED, DENIED):
        conditions = _kept(conditions, conditions_of(old), kind)
    restore(obj, old, "spec")
    obj["status"] = _with_conditions(obj.get("status") or {}, _stamped(conditions, old, context.now))


def _kept(conditions: Sequence[Object], old: Sequence[Object], kind: str) -> list[Object]:
    """With the old conditions of the kind in place of the new, where there are as many."""
    before = [condition for condition in old if condition.get("type") == kind]
    if len(before) != sum(condition.get("type") == kind for condition in conditions):
        return list(conditions)
    left = iter(before)
    return [next(left) if condition.get("type") == kind else condition for condition in conditions]


def _with_conditions(status: Object, conditions: list[Object]) -> Object:
    rest = {key: value for key, value in status.items() if key != "conditions"}
    return {**rest, "conditions": conditions} if conditions else rest


def _stamped(conditions: Sequence[Object], old: Object, now: dt.datetime) -> list[Object]:
    """With the times that the writer left out: a condition that stands as it stood keeps when it came about."""
    before = conditions_of(old)
    return [_with_times(condition, before, now) for condition in conditions]


def _with_times(condition: Object, before: Sequence[Object], now: dt.datetime) -> Object:
    since = [
        each["lastTransitionTime"]
        for each in before
        if all((each.get(field) or "") == (condition.get(field) or "") for field in ("type", "status"))
        and each.get("lastTransitionTime")
    ]
    return {
        **condition,
        "lastUpdateTime": condition.get("lastUpdateTime") or format_time(now),
        "lastTransitionTime": condition.get("lastTransitionTime") or (since or [format_time(now)])[0],
    }


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_update(obj, old_of(context), Rights())


def _validate_approval(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_update(obj, old_of(context), Rights(decision=True))


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_update(obj, old_of(context), Rights(certificate=True))


def _requested_duration(obj: Object, now: dt.datetime) -> str:
    seconds = find(obj, "spec", "expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


def _state(obj: Object, now: dt.datetime) -> str:
    types = condition_types(obj)
    words = ["Denied" if DENIED in types else "Approved" if APPROVED in types else "Pending"]
    if FAILED in types:
        words.append("Failed")
    if certificate_of(obj):
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
    validate_create=lambda context, obj: validate_create(obj),
    validate_update=_validate_update,
    metadata_checks=_CHECKS,
    status=StatusStrategy(_prepare_status, _validate_status, _CHECKS),
    updatable={"approval": StatusStrategy(_prepare_approval, _validate_approval, _CHECKS)},
    field_labels={"spec.signerName": lambda obj: str(find(obj, "spec", "signerName", default=""))},
    unknown_field_text="field label not supported: {field}",
    name_rule=names.path_segment,
)
