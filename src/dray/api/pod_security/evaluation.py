"""Which rules a level of a release consists of, and whether a pod keeps them all."""

import functools
from collections.abc import Sequence
from typing import Final

from dray.api.pod_security import baseline, kernel, restricted
from dray.api.pod_security.kernel import Rule
from dray.api.pod_security.policy import PRIVILEGED, RESTRICTED, Demand
from dray.api.pod_security.subject import Subject, Violation

_Rules = Sequence[tuple[str, Sequence[tuple[int, Rule]]]]

_BASELINE: Final[_Rules] = (
    ("appArmorProfile", ((0, baseline.app_armor),)),
    ("capabilities", ((0, baseline.capabilities),)),
    ("hostNamespaces", ((0, baseline.host_namespaces),)),
    ("hostPathVolumes", ((0, baseline.host_paths),)),
    ("hostPorts", ((0, baseline.host_ports),)),
    ("hostProbes", ((34, baseline.probe_hosts),)),
    ("privileged", ((0, baseline.privileged),)),
    ("procMount", ((0, baseline.proc_mount), (35, baseline.proc_mount_with_users))),
    ("seLinuxOptions", ((0, kernel.selinux), (31, kernel.selinux_31))),
    ("seccompProfile", ((0, baseline.seccomp_annotations), (19, baseline.seccomp))),
    ("sysctls", ((0, kernel.sysctls), (27, kernel.sysctls_27), (29, kernel.sysctls_29), (32, kernel.sysctls_32))),
    ("windowsHostProcess", ((0, baseline.windows_host_process),)),
)  # fmt: skip
"""Each rule with the minor releases from which on it is as it is, in the order in which violations are told."""
_RESTRICTED: Final[_Rules] = (
    ("allowPrivilegeEscalation", ((8, restricted.privilege_escalation), (25, restricted.privilege_escalation_25))),
    ("capabilities", ((22, restricted.capabilities), (25, restricted.capabilities_25))),
    ("procMount", ((35, baseline.proc_mount),)),
    ("hostPathVolumes", ((0, restricted.volumes),)),
    ("runAsNonRoot", ((0, restricted.non_root), (35, restricted.non_root_35))),
    ("runAsUser", ((23, restricted.user), (35, restricted.user_35))),
    ("seccompProfile", ((19, restricted.seccomp), (25, restricted.seccomp_25))),
)  # fmt: skip
"""A rule named as one of `baseline` stands in its place."""
_NEWEST: Final = max(minor for rules in (_BASELINE, _RESTRICTED) for _, ages in rules for minor, _ in ages)


def violations(demand: Demand, subject: Subject) -> list[Violation]:
    """What the pod does that the level forbids."""
    if demand.level == PRIVILEGED:
        return []
    minor = _NEWEST if demand.minor is None else min(demand.minor, _NEWEST)
    return [found for rule in _rules(demand.level, minor) if (found := rule(subject)) is not None]


def details(found: Sequence[Violation]) -> str:
    return ", ".join(f"{each.reason} ({each.detail})" for each in found)


def reasons(found: Sequence[Violation]) -> str:
    return ", ".join(each.reason for each in found)


@functools.cache
def _rules(level: str, minor: int) -> tuple[Rule, ...]:
    chosen = _of_age(_BASELINE, minor)
    if level == RESTRICTED:
        more = _of_age(_RESTRICTED, minor)
        chosen = {**{name: rule for name, rule in chosen.items() if name not in more}, **more}
    return tuple(chosen.values())


def _of_age(rules: _Rules, minor: int) -> dict[str, Rule]:
    """Each as it was in that release; those that came later are absent."""
    found: dict[str, Rule] = {}
    for name, ages in rules:
        for since, rule in ages:
            if since <= minor:
                found[name] = rule
    return found
