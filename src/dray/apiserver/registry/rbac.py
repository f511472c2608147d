"""Roles and their bindings."""

import datetime as dt

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.names import path_segment
from dray.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from dray.api.validation.core.rbac import (
    GROUP,
    validate_binding,
    validate_binding_update,
    validate_cluster_role,
    validate_role,
)
from dray.apiserver.registry.columns import AGE, CREATED_AT, NAME, Cell, find, wide
from dray.apiserver.registry.kind import Column, Kind, MetadataCheck, WriteContext
from dray.apiserver.registry.writes import old_of


def _default_binding(obj: Object, version: str) -> None:
    role = obj.get("roleRef")
    if role is not None and not role.get("apiGroup"):
        role["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if subject and subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP


_CHECKS: tuple[MetadataCheck, ...] = ("whole", "change")


def _validate_role(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_role(obj)


def _validate_cluster_role(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_cluster_role(obj)


def _validate_role_binding(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_binding(obj, namespaced=True)


def _validate_role_binding_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_binding_update(obj, old_of(context), namespaced=True)


def _validate_cluster_binding(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_binding(obj, namespaced=False)


def _validate_cluster_binding_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_binding_update(obj, old_of(context), namespaced=False)


def _role(obj: Object, now: dt.datetime) -> str:
    return f"{find(obj, 'roleRef', 'kind', default='')}/{find(obj, 'roleRef', 'name', default='')}"


def _subjects(kind: str) -> Cell:
    def cell(obj: Object, now: dt.datetime) -> str:
        return ", ".join(_subject_name(one) for one in obj.get("subjects") or () if one.get("kind") == kind)

    return cell


def _subject_name(subject: Object) -> str:
    if subject.get("kind") == "ServiceAccount":
        return f"{subject.get('namespace', '')}/{subject.get('name', '')}"
    return str(subject.get("name") or "")


_BINDING_COLUMNS = (
    NAME,
    Column("Role", _role, description="The role that is granted."),
    AGE,
    wide("Users", _subjects("User"), "Users who get the role."),
    wide("Groups", _subjects("Group"), "Groups who get the role."),
    wide("ServiceAccounts", _subjects("ServiceAccount"), "Service accounts that get the role."),
)

ROLE = Kind(
    ROLES,
    singular="role",
    columns=(NAME, CREATED_AT),
    validate_create=_validate_role,
    validate_update=_validate_role,
    metadata_checks=_CHECKS,
    create_on_update=True,
    name_rule=path_segment,
)
CLUSTER_ROLE = Kind(
    CLUSTER_ROLES,
    singular="clusterrole",
    columns=(NAME, CREATED_AT),
    validate_create=_validate_cluster_role,
    validate_update=_validate_cluster_role,
    metadata_checks=_CHECKS,
    create_on_update=True,
    name_rule=path_segment,
)
ROLE_BINDING = Kind(
    ROLE_BINDINGS,
    singular="rolebinding",
    columns=_BINDING_COLUMNS,
    default=_default_binding,
    validate_create=_validate_role_binding,
    validate_update=_validate_role_binding_update,
    metadata_checks=_CHECKS,
    create_on_update=True,
    name_rule=path_segment,
)
CLUSTER_ROLE_BINDING = Kind(
    CLUSTER_ROLE_BINDINGS,
    singular="clusterrolebinding",
    columns=_BINDING_COLUMNS,
    default=_default_binding,
    validate_create=_validate_cluster_binding,
    validate_update=_validate_cluster_binding_update,
    metadata_checks=_CHECKS,
    create_on_update=True,
    name_rule=path_segment,
)
