"""The descriptions of resource quotas: alone, and within that of their namespace."""

from typing import Final

from dray.api.meta import Object, name_of, namespace_of
from dray.cli.kubectl.session import Session

_MEANINGS: Final = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.",
    "BestEffort": "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.",
}
"""kubectl's words."""


async def resource_quota(session: Session, obj: Object) -> list[str]:
    lines = [f"Name:\t{name_of(obj)}", f"Namespace:\t{namespace_of(obj)}"]
    return [*lines, *_scope_lines(obj, " * "), "Resource\tUsed\tHard", "--------\t----\t----", *_amounts(obj)]


def of_namespace(quotas: list[Object]) -> list[str]:
    if not quotas:
        return ["No resource quota."]
    lines = ["Resource Quotas"]
    for quota in quotas:
        lines += [f"  Name:\t{name_of(quota)}", *(f"  {line}" for line in _scope_lines(quota, "* "))]
        lines += [
            "  Resource\tUsed\tHard",
            "  --------\t---\t---",
            *(f"  {line}" for line in _amounts(quota)),
        ]
    return lines


def _scope_lines(quota: Object, bullet: str) -> list[str]:
    scopes = sorted((quota.get("spec") or {}).get("scopes") or ())
    if not scopes:
        return []
    meanings = (_MEANINGS.get(scope) for scope in scopes)
    return [f"Scopes:\t{', '.join(scopes)}", *(f"{bullet}{each}" for each in meanings if each)]


def _amounts(quota: Object) -> list[str]:
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    return [f"{name}\t{used.get(name, '0')}\t{hard[name]}" for name in sorted(hard)]
