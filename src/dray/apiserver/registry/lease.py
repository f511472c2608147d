"""Lease: who leads, and until when; also a node's heartbeat."""

from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.resources import LEASES
from dray.apiserver.registry.columns import AGE, NAME, at
from dray.apiserver.registry.kind import Column, Kind, WriteContext

_POSITIVE = "must be greater than 0"
_NOT_NEGATIVE = "must be greater than or equal to 0"


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors: list[FieldError] = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        errors.append(invalid(Path("spec.leaseDurationSeconds"), seconds, _POSITIVE))
    if transitions is not None and transitions < 0:
        errors.append(invalid(Path("spec.leaseTransitions"), transitions, _NOT_NEGATIVE))
    return errors


def _prepare(context: WriteContext, obj: Object) -> None:
    """Who should lead, and by which rule that is found out, belongs to a feature."""
    before = (context.old or {}).get("spec") or {}
    if context.features.enabled("CoordinatedLeaderElection"):
        return
    for field in ("preferredHolder", "strategy"):
        if before.get(field) is None:
            (obj.get("spec") or {}).pop(field, None)


LEASE = Kind(
    LEASES,
    singular="lease",
    columns=(
        NAME,
        Column("Holder", at("spec", "holderIdentity"), description="Who holds the lease."),
        AGE,
    ),
    prepare_create=_prepare,
    prepare_update=_prepare,
    validate_create=_validate,
    validate_update=_validate,
    reads_finalizers=False,
    unconditional_update=False,
    create_on_update=True,
)
