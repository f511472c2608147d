"""States of workloads: counts of pods that agree with each other."""

from collections.abc import Mapping
from typing import Final

from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.validation.core.workload_parts import check_not_decremented, check_order, not_negative
from dray.api.validation.meta import validate_meta_update

_STATUS: Final = Path("status")
_ALL: Final = "cannot be greater than status.replicas"
_READY: Final = {"availableReplicas": "readyReplicas"}


def validate_deployment_status(new: Object, old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    counts = (
        "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
        "unavailableReplicas", "terminatingReplicas", "collisionCount",
    )  # fmt: skip
    errors = not_negative(status, counts, _STATUS)
    errors += _check_all(status, "updatedReplicas", "readyReplicas", "availableReplicas")
    errors += check_order(status, _READY, _STATUS, "cannot be greater than readyReplicas")
    return errors + _check_collisions(status, old)


def validate_replica_set_status(new: Object, old: Object) -> list[FieldError]:
    """Of replication controllers, too."""
    status = new.get("status") or {}
    counts = (
        "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
        "terminatingReplicas",
    )  # fmt: skip
    errors = not_negative(status, counts, _STATUS)
    errors += _check_all(status, "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    return errors + check_order(status, _READY, _STATUS, "cannot be greater than readyReplicas")


def validate_stateful_set_status(new: Object, old: Object) -> list[FieldError]:
    """With what is wrong with its metadata, which is told last."""
    status = new.get("status") or {}
    counts = (
        "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration",
        "collisionCount",
    )  # fmt: skip
    errors = not_negative(status, counts, _STATUS)
    errors += _check_all(status, "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    errors += check_order(status, _READY, _STATUS, "cannot be greater than status.readyReplicas")
    errors += _check_collisions(status, old)
    return errors + validate_meta_update(new["metadata"], old["metadata"])


def validate_daemon_set_status(new: Object, old: Object) -> list[FieldError]:
    status = new.get("status") or {}
    counts = (
        "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
        "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
    )  # fmt: skip
    return not_negative(status, counts, _STATUS) + _check_collisions(status, old)


def _check_all(status: Object, *fields: str) -> list[FieldError]:
    most: Mapping[str, str] = dict.fromkeys(fields, "replicas")
    return check_order(status, most, _STATUS, _ALL)


def _check_collisions(status: Object, old: Object) -> list[FieldError]:
    return check_not_decremented(status, old.get("status") or {}, "collisionCount", _STATUS)
