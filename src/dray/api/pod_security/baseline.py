"""The rules of the level `baseline`: nothing that is known to give power over the node."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dray.api.fields import quote
from dray.api.pod_security.subject import (
    Subject,
    Violation,
    containers_named,
    context_of,
    counted,
    quoted,
    setters,
)

_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_PROFILES: Final = ("RuntimeDefault", "Localhost")
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"


def app_armor(subject: Subject) -> Violation | None:
    bad = _bad_profiles(subject, "appArmorProfile")
    parts = [who] if (who := setters(pod=bad.by_pod, containers=bad.containers)) else []
    values = sorted(bad.values)
    notes = sorted(
        f"{key}={quote(value)}"
        for key, value in subject.annotations.items()
        if key.startswith(_APP_ARMOR)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    if notes:
        parts.append(counted("annotation", notes))
        values += notes
    if not parts:
        return None
    reason = counted("forbidden AppArmor profile", values)
    return Violation(reason, f"{' and '.join(parts)} must not set AppArmor profile type to {quoted(values)}")


class _Profiles:
    """Who sets profiles of a type that is not allowed."""

    def __init__(self) -> None:
        self.by_pod = False
        self.containers: list[str] = []
        self.values: set[str] = set()


def _bad_profiles(subject: Subject, field: str) -> _Profiles:
    bad = _Profiles()
    given = (subject.context.get(field) or {}).get("type")
    if subject.context.get(field) is not None and given not in _PROFILES:
        bad.by_pod = True
        bad.values.add(given or "")
    for container in subject.containers:
        profile = context_of(container).get(field)
        if profile is not None and profile.get("type") not in _PROFILES:
            bad.containers.append(container["name"])
            bad.values.add(profile.get("type") or "")
    return bad


def capabilities(subject: Subject) -> Violation | None:
    def more(context: Mapping[str, Any]) -> set[str]:
        return set((context.get("capabilities") or {}).get("add") or ()) - _CAPABILITIES

    names = subject.names(lambda context: bool(more(context)))
    if not names:
        return None
    added = sorted({each for container in subject.containers for each in more(context_of(container))})
    detail = f"{containers_named(names)} must not include {quoted(added)} in securityContext.capabilities.add"
    return Violation("non-default capabilities", detail)


def host_namespaces(subject: Subject) -> Violation | None:
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if subject.spec.get(field)]
    return Violation("host namespaces", ", ".join(used)) if used else None


def host_paths(subject: Subject) -> Violation | None:
    names = [
        volume["name"] for volume in subject.spec.get("volumes") or () if volume.get("hostPath") is not None
    ]
    return Violation("hostPath volumes", f"{counted('volume', names)} {quoted(names)}") if names else None


def host_ports(subject: Subject) -> Violation | None:
    names, found = [], set()
    for container in subject.containers:
        ports = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        found |= ports
        if ports:
            names.append(container["name"])
    if not names:
        return None
    verb, noun = counted("uses", names, "use"), counted("hostPort", found)
    return Violation("hostPort", f"{containers_named(names)} {verb} {noun} {', '.join(sorted(found))}")


def probe_hosts(subject: Subject) -> Violation | None:
    """Probes and hooks may only speak to the pod itself."""
    hosts = {container["name"]: set(_hosts(container)) for container in subject.containers}
    names = sorted(name for name, found in hosts.items() if found)
    if not names:
        return None
    every = sorted(set().union(*hosts.values()))
    verb, noun = counted("uses", names, "use"), counted("probe or lifecycle host", every)
    return Violation("probe or lifecycle host", f"{containers_named(names)} {verb} {noun} {quoted(every)}")


def _hosts(container: Mapping[str, Any]) -> Iterator[str]:
    hooks = container.get("lifecycle") or {}
    handlers = [container.get(probe) for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    for handler in (*handlers, hooks.get("postStart"), hooks.get("preStop")):
        for action in ("httpGet", "tcpSocket"):
            if host := ((handler or {}).get(action) or {}).get("host"):
                yield host


def privileged(subject: Subject) -> Violation | None:
    names = subject.names(lambda context: context.get("privileged") is True)
    if not names:
        return None
    return Violation("privileged", f"{containers_named(names)} must not set securityContext.privileged=true")


def proc_mount(subject: Subject) -> Violation | None:
    def other(context: Mapping[str, Any]) -> str:
        mount = context.get("procMount")
        return "" if mount in (None, "Default") else str(mount)

    names = subject.names(lambda context: bool(other(context)))
    if not names:
        return None
    found = sorted({mount for container in subject.containers if (mount := other(context_of(container)))})
    return Violation(
        "procMount", f"{containers_named(names)} must not set securityContext.procMount to {quoted(found)}"
    )


def proc_mount_with_users(subject: Subject) -> Violation | None:
    return None if subject.has_own_users else proc_mount(subject)


def seccomp(subject: Subject) -> Violation | None:
    bad = _bad_profiles(subject, "seccompProfile")
    who = setters(pod=bad.by_pod, containers=bad.containers)
    if not who:
        return None
    detail = f"{who} must not set securityContext.seccompProfile.type to {quoted(sorted(bad.values))}"
    return Violation("seccompProfile", detail)


def seccomp_annotations(subject: Subject) -> Violation | None:
    """As it was said before there was a field for it."""
    keys = (_SECCOMP_POD, *(f"{_SECCOMP_CONTAINER}{container['name']}" for container in subject.containers))
    given = {key: subject.annotations[key] for key in keys if key in subject.annotations}
    bad = sorted(
        f"{key}={quote(value)}"
        for key, value in given.items()
        if value not in ("runtime/default", "docker/default") and not value.startswith("localhost/")
    )
    return (
        Violation("seccompProfile", f"forbidden {counted('annotation', bad)} {', '.join(bad)}")
        if bad
        else None
    )


def windows_host_process(subject: Subject) -> Violation | None:
    def is_host_process(context: Mapping[str, Any]) -> bool:
        return (context.get("windowsOptions") or {}).get("hostProcess") is True

    who = setters(pod=is_host_process(subject.context), containers=subject.names(is_host_process))
    if not who:
        return None
    return Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true")
