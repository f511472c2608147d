"""Who makes a policy read parameters must be allowed to read them. Source: kubernetes
pkg/registry/admissionregistration/validatingadmissionpolicy{,binding}/authz.go, 1.36.
"""

from dray.api.meta import Object
from dray.apiserver.access import MASTERS
from dray.apiserver.registry.kind import User, WriteContext


def may_read_params(context: WriteContext, kind: Object | None, name: str, namespace: str) -> bool:
    """`kind`: the paramKind; None where the policy is not there yet, so that it could be any."""
    if MASTERS in context.user.groups:
        return True
    group, resource = "*", "*"
    if kind is not None:
        group, _, version = (kind.get("apiVersion") or "").rpartition("/")
        resource = context.plural_of(group, version, kind.get("kind") or "") or "*"
    allowed, _ = context.authorize(verb="get", group=group, resource=resource, namespace=namespace, name=name)
    return allowed


def show_user(user: User) -> str:
    """As Go prints a user: name, uid, groups and extra in braces."""
    extra = " ".join(f"{key}:[{' '.join(values)}]" for key, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"
