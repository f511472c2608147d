"""The authorizer of admission policies: declared, so that texts using it are judged as upstream judges them.

No environment here has an `authorizer` variable, so nothing can call these functions; they have no implementation.
"""

from dray.cel.declarations import Function, Overload
from dray.cel.types import BOOL, STRING, CelType, struct

_AUTHORIZER = struct("kubernetes.authorization.Authorizer")
_PATH = struct("kubernetes.authorization.PathCheck")
_GROUP = struct("kubernetes.authorization.GroupCheck")
_RESOURCE = struct("kubernetes.authorization.ResourceCheck")
_DECISION = struct("kubernetes.authorization.Decision")


def _member(id: str, params: tuple[CelType, ...], result: CelType) -> Overload:
    return Overload(id, params, result, member=True)


FUNCTIONS = (
    Function("path", _member("authorizer_path", (_AUTHORIZER, STRING), _PATH)),
    Function("group", _member("authorizer_group", (_AUTHORIZER, STRING), _GROUP)),
    Function(
        "serviceAccount", _member("authorizer_serviceaccount", (_AUTHORIZER, STRING, STRING), _AUTHORIZER)
    ),
    Function("resource", _member("groupcheck_resource", (_GROUP, STRING), _RESOURCE)),
    Function("subresource", _member("resourcecheck_subresource", (_RESOURCE, STRING), _RESOURCE)),
    Function("namespace", _member("resourcecheck_namespace", (_RESOURCE, STRING), _RESOURCE)),
    Function("name", _member("resourcecheck_name", (_RESOURCE, STRING), _RESOURCE)),
    Function(
        "check",
        _member("pathcheck_check", (_PATH, STRING), _DECISION),
        _member("resourcecheck_check", (_RESOURCE, STRING), _DECISION),
    ),
    Function("errored", _member("decision_errored", (_DECISION,), BOOL)),
    Function("error", _member("decision_error", (_DECISION,), STRING)),
    Function("allowed", _member("decision_allowed", (_DECISION,), BOOL)),
    Function("reason", _member("decision_reason", (_DECISION,), STRING)),
    Function("fieldSelector", _member("authorizer_fieldselector", (_RESOURCE, STRING), _RESOURCE)),
    Function("labelSelector", _member("authorizer_labelselector", (_RESOURCE, STRING), _RESOURCE)),
)
