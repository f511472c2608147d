"""The rules of the level `restricted`, which come on top of those of `baseline`: what a hardened pod must say."""

from collections.abc import Mapping
from typing import Any, Final

from dray.api.pod_security import baseline
from dray.api.pod_security.subject import (
    Subject,
    Violation,
    containers_named,
    context_of,
    counted,
    quoted,
    setters,
)

_VOLUMES: Final = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip


def privilege_escalation(subject: Subject) -> Violation | None:
    names = subject.names(lambda context: context.get("allowPrivilegeEscalation") is not False)
    if not names:
        return None
    detail = f"{containers_named(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail)


def privilege_escalation_25(subject: Subject) -> Violation | None:
    return None if subject.is_windows else privilege_escalation(subject)


def capabilities(subject: Subject) -> Violation | None:
    def more(context: Mapping[str, Any]) -> set[str]:
        return set((context.get("capabilities") or {}).get("add") or ()) - {"NET_BIND_SERVICE"}

    keeping = subject.names(
        lambda context: "ALL" not in ((context.get("capabilities") or {}).get("drop") or ())
    )
    adding = subject.names(lambda context: bool(more(context)))
    details = []
    if keeping:
        details.append(f'{containers_named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        added = sorted({each for container in subject.containers for each in more(context_of(container))})
        details.append(
            f"{containers_named(adding)} must not include {quoted(added)} in securityContext.capabilities.add"
        )
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def capabilities_25(subject: Subject) -> Violation | None:
    return None if subject.is_windows else capabilities(subject)


def volumes(subject: Subject) -> Violation | None:
    names, types = [], set()
    for volume in subject.spec.get("volumes") or ():
        if any(volume.get(kind) is not None for kind in _VOLUMES):
            continue
        names.append(volume["name"])
        types.add(next((kind for kind in volume if kind != "name"), "unknown"))
    if not names:
        return None
    verb, noun = counted("uses", names, "use"), counted("restricted volume type", types)
    detail = f"{counted('volume', names)} {quoted(names)} {verb} {noun} {quoted(sorted(types))}"
    return Violation("restricted volume types", detail)


def non_root(subject: Subject) -> Violation | None:
    reason, said = "runAsNonRoot != true", subject.context.get("runAsNonRoot")
    refusing = subject.names(lambda context: context.get("runAsNonRoot") is False)
    if who := setters(pod=said is False, containers=refusing):
        return Violation(reason, f"{who} must not set securityContext.runAsNonRoot=false")
    silent = [] if said else subject.names(lambda context: context.get("runAsNonRoot") is None)
    if not silent:
        return None
    return Violation(reason, f"pod or {containers_named(silent)} must set securityContext.runAsNonRoot=true")


def non_root_35(subject: Subject) -> Violation | None:
    return None if subject.has_own_users else non_root(subject)


def user(subject: Subject) -> Violation | None:
    who = setters(
        pod=subject.context.get("runAsUser") == 0,
        containers=subject.names(lambda context: context.get("runAsUser") == 0),
    )
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def user_35(subject: Subject) -> Violation | None:
    return None if subject.has_own_users else user(subject)


def seccomp(subject: Subject) -> Violation | None:
    if (bad := baseline.seccomp(subject)) is not None:
        return bad
    if subject.context.get("seccompProfile") is not None:
        return None
    silent = subject.names(lambda context: context.get("seccompProfile") is None)
    if not silent:
        return None
    needed = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {containers_named(silent)} {needed}")


def seccomp_25(subject: Subject) -> Violation | None:
    return None if subject.is_windows else seccomp(subject)
