"""What the expressions of policies and of match conditions may speak of.

`object`, `oldObject` and `params` have no types where expressions are to run, since one policy may be about many kinds; they
can be given some to find mistakes. Source: kubernetes apiserver/pkg/admission/plugin/cel/compile.go, 1.36.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from dray.cel import NEW, Vocabulary
from dray.cel.library.authorization import AUTHORIZER, RESOURCE
from dray.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, CelType, list_of, map_of, struct

VARIABLES: Final = "kubernetes.variables"


class Types(NamedTuple):
    """What is known of the types of the objects."""

    object: CelType = DYN
    params: CelType = DYN
    structs: Mapping[str, Mapping[str, CelType]] = {}
    """The fields of the types that have some."""


UNTYPED: Final = Types()

_GROUP_KIND: Final = struct("kubernetes.GroupVersionKind")
_GROUP_RESOURCE: Final = struct("kubernetes.GroupVersionResource")
_USER: Final = struct("kubernetes.UserInfo")
_CONDITION: Final = struct("kubernetes.NamespaceCondition")

_STRUCTS: Final[Mapping[str, Mapping[str, CelType]]] = {
    _GROUP_KIND.name: {"group": STRING, "version": STRING, "kind": STRING},
    _GROUP_RESOURCE.name: {"group": STRING, "version": STRING, "resource": STRING},
    _USER.name: {
        "username": STRING,
        "uid": STRING,
        "groups": list_of(STRING),
        "extra": map_of(STRING, list_of(STRING)),
    },
    "kubernetes.AdmissionRequest": {
        "kind": _GROUP_KIND,
        "resource": _GROUP_RESOURCE,
        "subResource": STRING,
        "requestKind": _GROUP_KIND,
        "requestResource": _GROUP_RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
    "kubernetes.Namespace": {
        "metadata": struct("kubernetes.NamespaceMetadata"),
        "spec": struct("kubernetes.NamespaceSpec"),
        "status": struct("kubernetes.NamespaceStatus"),
    },
    "kubernetes.NamespaceMetadata": {
        "name": STRING,
        "generateName": STRING,
        "namespace": STRING,
        "labels": map_of(STRING, STRING),
        "annotations": map_of(STRING, STRING),
        "UID": STRING,
        "creationTimestamp": TIMESTAMP,
        "deletionGracePeriodSeconds": INT,
        "deletionTimestamp": TIMESTAMP,
        "generation": INT,
        "resourceVersion": STRING,
        "finalizers": list_of(STRING),
    },
    "kubernetes.NamespaceSpec": {"finalizers": list_of(STRING)},
    "kubernetes.NamespaceStatus": {"conditions": list_of(_CONDITION), "phase": STRING},
    _CONDITION.name: {
        "status": STRING,
        "type": STRING,
        "lastTransitionTime": TIMESTAMP,
        "message": STRING,
        "reason": STRING,
    },
}


def vocabulary(
    *,
    has_params: bool,
    has_authorizer: bool,
    variables: Mapping[str, CelType] | None = None,
    is_new: bool = False,
    types: Types = UNTYPED,
    has_patches: bool = False,
) -> Vocabulary:
    """`variables`: the types of the policy's own variables, which may grow; None where there are none.

    `is_new`: for expressions that were never accepted before, with the libraries that the release before had.
    """
    known = {
        "object": types.object,
        "oldObject": types.object,
        "namespaceObject": struct("kubernetes.Namespace"),
        "request": struct("kubernetes.AdmissionRequest"),
    }
    structs = {**_STRUCTS, **types.structs}
    if has_params:
        known["params"] = types.params
    if has_authorizer:
        known["authorizer"] = AUTHORIZER
        known["authorizer.requestResource"] = RESOURCE
    if variables is not None:
        known["variables"] = struct(VARIABLES)
        structs[VARIABLES] = variables
    version = NEW.library_version if is_new else None
    return Vocabulary(known, structs, version, has_patches=has_patches)
