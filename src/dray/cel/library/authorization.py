"""The authorizer of admission policies: questions about what somebody may do, put together and asked.

Only environments that declare an `authorizer` variable can reach these functions.
"""

import dataclasses
from typing import Any

from dray.api import names
from dray.cel.declarations import Function, Overload, member
from dray.cel.errors import EvalFailure
from dray.cel.types import BOOL, STRING, CelType, struct
from dray.cel.values.authorization import (
    Authorizer,
    Builder,
    Decision,
    GroupCheck,
    PathCheck,
    ResourceCheck,
)

AUTHORIZER = struct("kubernetes.authorization.Authorizer")
RESOURCE = struct("kubernetes.authorization.ResourceCheck")
_PATH = struct("kubernetes.authorization.PathCheck")
_GROUP = struct("kubernetes.authorization.GroupCheck")
_DECISION = struct("kubernetes.authorization.Decision")


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvalFailure("path must not be empty")
    return PathCheck(authorizer.ask, dataclasses.replace(authorizer.question, path=path))


def _group(authorizer: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(authorizer.ask, dataclasses.replace(authorizer.question, group=group))


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if names.dns_subdomain(name):
        raise EvalFailure("Invalid service account name")
    if names.dns_label(namespace):
        raise EvalFailure("Invalid service account namespace")
    return Authorizer(authorizer.ask, dataclasses.replace(authorizer.question, account=(namespace, name)))


def _resource(group: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvalFailure("resource must not be empty")
    return ResourceCheck(group.ask, dataclasses.replace(group.question, resource=resource))


def _narrowing(part: str, id: str) -> Overload:
    """A step that says one more thing about a resource."""

    def narrow(check: ResourceCheck, text: str) -> ResourceCheck:
        changes: dict[str, Any] = {part: text}
        return ResourceCheck(check.ask, dataclasses.replace(check.question, **changes))

    return member(id, (RESOURCE, STRING), RESOURCE, narrow)


def _check(check: Builder, verb: str) -> Decision:
    return check.ask_about(verb)


def _answer(part: str, result: CelType) -> Function:
    return Function(
        part, member(f"decision_{part}", (_DECISION,), result, lambda decision: getattr(decision, part))
    )


FUNCTIONS = (
    Function("path", member("authorizer_path", (AUTHORIZER, STRING), _PATH, _path)),
    Function("group", member("authorizer_group", (AUTHORIZER, STRING), _GROUP, _group)),
    Function(
        "serviceAccount",
        member("authorizer_serviceaccount", (AUTHORIZER, STRING, STRING), AUTHORIZER, _service_account),
    ),
    Function("resource", member("groupcheck_resource", (_GROUP, STRING), RESOURCE, _resource)),
    Function("subresource", _narrowing("subresource", "resourcecheck_subresource")),
    Function("namespace", _narrowing("namespace", "resourcecheck_namespace")),
    Function("name", _narrowing("name", "resourcecheck_name")),
    Function(
        "check",
        member("pathcheck_check", (_PATH, STRING), _DECISION, _check),
        member("resourcecheck_check", (RESOURCE, STRING), _DECISION, _check),
    ),
    Function(
        "errored", member("decision_errored", (_DECISION,), BOOL, lambda decision: bool(decision.error))
    ),
    _answer("error", STRING),
    _answer("allowed", BOOL),
    _answer("reason", STRING),
    Function("fieldSelector", _narrowing("fields", "authorizer_fieldselector")),
    Function("labelSelector", _narrowing("labels", "authorizer_labelselector")),
)
