"""The rules of `baseline` that allow more with some releases: SELinux types and kernel parameters."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dray.api.pod_security.subject import Subject, Violation, context_of, counted, quoted, setters

_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
_TYPES_31: Final = _TYPES | {"container_engine_t"}

_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
    }
)  # fmt: skip
_SYSCTLS_27: Final = _SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_29: Final = _SYSCTLS_27 | {
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
_SYSCTLS_32: Final = _SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}

Rule = Callable[[Subject], Violation | None]


def _selinux(allowed: frozenset[str]) -> Rule:
    def rule(subject: Subject) -> Violation | None:
        def is_bad(context: Mapping[str, Any]) -> bool:
            options = context.get("seLinuxOptions") or {}
            return (options.get("type") or "") not in allowed or bool(
                options.get("user") or options.get("role")
            )

        who = setters(pod=is_bad(subject.context), containers=subject.names(is_bad))
        if not who:
            return None
        contexts = [subject.context, *map(context_of, subject.containers)]
        given = [context.get("seLinuxOptions") or {} for context in contexts]
        types = sorted({options.get("type") or "" for options in given} - allowed)
        said = [f"{counted('type', types)} {quoted(types)}"] if types else []
        said += [
            f"{field} may not be set" for field in ("user", "role") if any(each.get(field) for each in given)
        ]
        return Violation(
            "seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
        )

    return rule


def _sysctls(allowed: frozenset[str]) -> Rule:
    def rule(subject: Subject) -> Violation | None:
        names = [each["name"] for each in subject.context.get("sysctls") or () if each["name"] not in allowed]
        return Violation("forbidden sysctls", ", ".join(names)) if names else None

    return rule


selinux, selinux_31 = _selinux(_TYPES), _selinux(_TYPES_31)
sysctls, sysctls_27, sysctls_29, sysctls_32 = map(_sysctls, (_SYSCTLS, _SYSCTLS_27, _SYSCTLS_29, _SYSCTLS_32))
