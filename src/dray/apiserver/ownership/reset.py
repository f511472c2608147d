"""The fields that an endpoint resets, and that a writer through it therefore never comes to own.

The main endpoint of a kind with a status resets `status`; `/status` resets the spec, and for some kinds metadata.
"""

from collections.abc import Mapping

from dray.apiserver.ownership.fieldset import EMPTY, FieldSet, of_members

_STATUS = of_members([("f:status",)])
_SPEC = of_members([("f:spec",)])
_ALL_BUT_STATUS = of_members([("f:metadata",), ("f:spec",)])
_CERTIFICATES = "CertificateSigningRequest"

_STATUS_ENDPOINTS: Mapping[str, FieldSet] = {
    "ResourceClaim": _ALL_BUT_STATUS,
    "DeviceTaintRule": _ALL_BUT_STATUS,
    "ResourcePoolStatusRequest": _ALL_BUT_STATUS,
    "Pod": of_members(
        [("f:spec",), ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")]
    ),
    "Deployment": of_members([("f:spec",), ("f:metadata", "f:labels")]),
    "PersistentVolume": of_members([("f:spec",), ("f:metadata",)]),
    "PersistentVolumeClaim": of_members([("f:spec",), ("f:metadata",)]),
    _CERTIFICATES: of_members([("f:spec",), ("f:status", "f:conditions")]),
}
_APPROVAL_OF_CERTIFICATES = of_members([("f:spec",), ("f:status", "f:certificate")])
_MAIN_ENDPOINTS: Mapping[str, FieldSet] = dict.fromkeys(("ResourceClaim", "DeviceTaintRule", "ResourcePoolStatusRequest", "Pod", "Node", "Namespace", "Service", "PersistentVolume", "PersistentVolumeClaim", "ReplicationController", "ResourceQuota", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Job", "CronJob", "PodDisruptionBudget", "ValidatingAdmissionPolicy", "HorizontalPodAutoscaler"), _STATUS) | {_CERTIFICATES: of_members([("f:spec",), ("f:status",)])}  # fmt: skip


def reset_fields(kind: str, subresource: str = "") -> FieldSet:
    """What a write to `kind` through `subresource` ("" for the object itself) cannot change."""
    if subresource == "status":
        return _STATUS_ENDPOINTS.get(kind, _SPEC)
    if kind == _CERTIFICATES and subresource == "approval":
        return _APPROVAL_OF_CERTIFICATES
    return EMPTY if subresource else _MAIN_ENDPOINTS.get(kind, EMPTY)
