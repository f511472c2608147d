"""The API server: what it serves, which features it has on, what it left out of objects, who speaks old versions."""

import re
from collections.abc import Iterator

from dray.api.resources import NAMESPACES
from dray.insight.doctor.finding import ERROR, UNKNOWN, WARNING, Finding
from dray.insight.gates import Gates, gate_of_field, gates_of
from dray.insight.snapshot import Snapshot
from dray.insight.volumes import STORAGE
from dray.insight.written import Dropped, Writer, dropped_fields, left_out, writers

_UNDERSTOOD = ("v1", "v1beta2", "v1beta1")


_FORBIDDEN = re.compile(r"you may not list (\S+)")
IRRELEVANT = (NAMESPACES, *STORAGE)
"""Kinds that a snapshot has for other questions."""


def server_findings(snapshot: Snapshot) -> Iterator[Finding]:
    yield from _rights(snapshot)
    yield from _served(snapshot)
    gates = gates_of(snapshot)
    for dropped in dropped_fields(snapshot):
        yield _dropped(dropped, gates)
    for writer in writers(snapshot):
        yield from _version(writer, snapshot)


def _rights(snapshot: Snapshot) -> Iterator[Finding]:
    irrelevant = {resource.plural for resource in IRRELEVANT}
    unknown = {plural: reason for plural, reason in snapshot.unknown.items() if plural not in irrelevant}
    forbidden = [match[1] for reason in unknown.values() if (match := _FORBIDDEN.match(reason))]
    if forbidden:
        role = " ".join(f"--resource={each}" for each in forbidden)
        yield Finding(
            UNKNOWN, "rights", f"what is wrong with these is not known: {', '.join(forbidden)}", "you may not list them",
            f"kubectl create clusterrole dray-reader --verb=list {role} && kubectl create clusterrolebinding dray-reader --clusterrole=dray-reader --user=YOU",
            "an administrator can give you the right",
        )  # fmt: skip
    for plural, reason in unknown.items():
        if not _FORBIDDEN.match(reason):
            yield Finding(
                UNKNOWN,
                plural,
                "cannot be looked at, so what is wrong with them is not known",
                reason,
                "kubectl api-resources",
            )


def _served(snapshot: Snapshot) -> Iterator[Finding]:
    versions = snapshot.server.get("resource")
    if versions is None or set(_UNDERSTOOD) & set(versions):
        return
    yield Finding(
        ERROR,
        "API server",
        "DRA is off: resource.k8s.io is not served in a version that can be used",
        f"served: {', '.join(versions) or 'none'}; version {snapshot.server.get('version') or 'not told'}",
        "kubectl api-versions",
        "from 1.34 on it is served by default; before, kube-apiserver needs --runtime-config=resource.k8s.io/v1beta1=true and "
        "all components --feature-gates=DynamicResourceAllocation=true",
    )


def _dropped(dropped: Dropped, gates: Gates) -> Finding:
    gate = gate_of_field(dropped.path)
    command = f"kubectl get --raw /metrics | grep {gate}" if gate else ""
    evidence = f"{dropped.writer} set {dropped.path}; the object does not have it"
    subject = f"{dropped.kind} {dropped.name.lstrip('/')}"
    if gate and gates.is_off(gate):
        advice = f"turn {gate} on in kube-apiserver (and scheduler, controller manager, kubelets), then apply the object anew"
        evidence += f"; kubernetes_feature_enabled{{{gate}}} 0"
        return Finding(ERROR, subject, left_out(dropped, gates), evidence, command, advice)
    advice = "" if gate else "apply the object anew and compare"
    return Finding(WARNING, subject, left_out(dropped, gates), evidence, command, advice)


def _version(writer: Writer, snapshot: Snapshot) -> Iterator[Finding]:
    """A client that writes in a version that the server no longer serves cannot write any more."""
    served = snapshot.server.get("resource")
    if served and writer.version not in served:
        yield Finding(
            WARNING,
            f"client {writer.manager}",
            f"writes {writer.kind} objects as resource.k8s.io/{writer.version}, which this server does not serve",
            f"managed fields of {writer.count} objects; served: {', '.join(served)}",
            "kubectl api-versions",
            f"update {writer.manager} to a release that speaks {served[0]}",
        )
