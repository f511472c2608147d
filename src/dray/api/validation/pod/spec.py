"""A pod's spec, in a pod or in a template; and the metadata rules that only pods have."""

from collections.abc import Collection, Mapping

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required, too_long
from dray.api.meta import Object
from dray.api.names import NameRule
from dray.api.validation.lists import items_of
from dray.api.validation.meta import validate_annotations, validate_labels
from dray.api.validation.pod.annotations import MIRROR_ANNOTATION, validate_pod_annotations
from dray.api.validation.pod.claims import validate_resource_claims
from dray.api.validation.pod.confinement import validate_agreement
from dray.api.validation.pod.container_security import validate_pod_security
from dray.api.validation.pod.containers import (
    Surroundings,
    validate_containers,
    validate_ephemeral_containers,
    validate_images_of_pod,
    validate_init_containers,
)
from dray.api.validation.pod.environment import validate_file_volumes
from dray.api.validation.pod.network import (
    validate_dns,
    validate_host_aliases,
    validate_host_ports,
    validate_user_namespace,
)
from dray.api.validation.pod.placement import (
    validate_affinity,
    validate_readiness_gates,
    validate_scheduling_gates,
    validate_spread,
    validate_tolerations,
)
from dray.api.validation.pod.pod_level import validate_pod_level
from dray.api.validation.pod.resources import validate_amounts, validate_pod_resources
from dray.api.validation.pod.rules import NEW_POD, PodRules
from dray.api.validation.pod.systems import validate_for_system
from dray.api.validation.pod.volumes import validate_volumes
from dray.api.validation.pod.windows import validate_host_processes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
SPEC, METADATA = Path("spec"), Path("metadata")

_HOSTNAME_MAX = 64
_MAX_INT32 = 2**31 - 1
_NAMES: Mapping[str, NameRule] = {
    "serviceAccountName": names.dns_subdomain,
    "nodeName": names.dns_subdomain,
    "hostname": names.dns_label,
    "subdomain": names.dns_label,
    "priorityClassName": names.dns_subdomain,
    "runtimeClassName": names.dns_subdomain,
}


def validate_pod_create(pod: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    """All but the ObjectMeta that every kind has."""
    errors = validate_pod(pod, rules)
    spec = pod.get("spec") or {}
    if spec.get("ephemeralContainers"):
        errors.append(forbidden(SPEC.child("ephemeralContainers"), "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        errors.append(forbidden(SPEC.child("nodeName"), text))
    return errors + validate_agreement(pod, SPEC)


def validate_pod(
    pod: Object, rules: PodRules = NEW_POD, *, may_cost_anything: bool = False
) -> list[FieldError]:
    """What holds for a pod at creation and after. `may_cost_anything`: see `validate_pod_annotations`."""
    spec = pod.get("spec") or {}
    errors = validate_pod_annotations(pod, may_cost_anything=may_cost_anything)
    is_mirror = MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {})
    errors += validate_pod_spec(spec, SPEC, rules, is_pod=True, is_mirror=is_mirror)
    if not spec.get("serviceAccountName"):
        errors += _forbid_tokens(items_of(spec.get("volumes")), SPEC.child("volumes"))
    for field in ("containers", "initContainers", "ephemeralContainers"):
        errors += validate_images_of_pod(items_of(spec.get(field)), SPEC.child(field))
    return errors


def _forbid_tokens(volumes: list[Object], path: Path) -> list[FieldError]:
    """Who is nobody gets no token."""
    return [
        forbidden(
            path.index(index).child("projected", "sources").index(position).child("serviceAccountToken"),
            "must not be specified when serviceAccountName is not set",
        )
        for index, volume in enumerate(volumes)
        for position, source in enumerate(items_of((volume.get("projected") or {}).get("sources")))
        if source.get("serviceAccountToken") is not None
    ]


def validate_pod_spec(
    spec: Object, path: Path, rules: PodRules = NEW_POD, *, is_pod: bool = False, is_mirror: bool = False
) -> list[FieldError]:
    """`is_mirror`: it stands for a pod that a kubelet has from a file, which cannot have claims."""
    volumes, errors = validate_volumes(items_of(spec.get("volumes")), path.child("volumes"), is_pod=is_pod)
    claims = items_of(spec.get("resourceClaims"))
    if is_mirror and claims:
        # Kubernetes names no field here.
        errors.append(forbidden(Path("[]"), "static pods do not support resource claims"))
    else:
        errors += validate_resource_claims(claims, path.child("resourceClaims"))
    around = Surroundings(
        volumes=volumes,
        claims={claim["name"] for claim in claims if claim.get("name")},
        restart_policy=spec.get("restartPolicy") or "",
        grace_seconds=spec.get("terminationGracePeriodSeconds"),
        host_users=spec.get("hostUsers") is not False,
    )
    errors += _validate_all_containers(spec, path, around)
    errors += _validate_resources(spec, path.child("resources"), around.claims)
    errors += validate_host_ports(spec, path, is_pod=is_pod)
    errors += _validate_policies(spec, path)
    errors += validate_labels(spec.get("nodeSelector") or {}, path.child("nodeSelector"))
    errors += validate_pod_security(spec, path.child("securityContext"))
    errors += validate_affinity(spec.get("affinity"), path.child("affinity"))
    errors += validate_dns(spec.get("dnsConfig"), spec.get("dnsPolicy") or "", path.child("dnsConfig"))
    errors += _validate_gates(spec, path, rules)
    errors += validate_host_processes(spec, path)
    errors += validate_user_namespace(spec, path)
    errors += _validate_hostname(spec, path.child("hostnameOverride"))
    errors += _validate_names(spec, path, "serviceAccountName", "nodeName")
    errors += _validate_deadline(spec, path.child("activeDeadlineSeconds"))
    errors += _validate_names(spec, path, "hostname", "subdomain")
    errors += validate_tolerations(items_of(spec.get("tolerations")), path.child("tolerations"))
    errors += validate_host_aliases(items_of(spec.get("hostAliases")), path.child("hostAliases"))
    errors += _validate_names(spec, path, "priorityClassName", "runtimeClassName")
    return errors + _validate_rest(spec, path)


def _validate_resources(spec: Object, path: Path, claims: Collection[str]) -> list[FieldError]:
    """Of the pod as a whole."""
    if spec.get("resources") is not None and (spec.get("os") or {}).get("name") == "windows":
        return [forbidden(path, "may not be set for a windows pod")]
    return validate_pod_resources(spec.get("resources"), claims, path) + validate_pod_level(spec, path)


def _validate_all_containers(spec: Object, path: Path, around: Surroundings) -> list[FieldError]:
    regular, init = items_of(spec.get("containers")), items_of(spec.get("initContainers"))
    errors = validate_containers(regular, path.child("containers"), around)
    errors += validate_init_containers(init, regular, path.child("initContainers"), around)
    ephemeral = items_of(spec.get("ephemeralContainers"))
    at = path.child("ephemeralContainers")
    return errors + validate_ephemeral_containers(ephemeral, regular + init, at, around)


def _validate_policies(spec: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, choices in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", DNS_POLICIES)):
        value = spec.get(field) or ""
        if not value:
            errors.append(required(path.child(field)))
        elif value not in choices:
            errors.append(not_supported(path.child(field), value, choices, in_order=True))
    return errors


def _validate_gates(spec: Object, path: Path, rules: PodRules) -> list[FieldError]:
    gates = items_of(spec.get("readinessGates"))
    errors = validate_readiness_gates(gates, path.child("readinessGates"))
    gates = items_of(spec.get("schedulingGates"))
    errors += validate_scheduling_gates(gates, path.child("schedulingGates"))
    constraints = items_of(spec.get("topologySpreadConstraints"))
    return errors + validate_spread(constraints, path.child("topologySpreadConstraints"), rules)


def _validate_names(spec: Object, path: Path, *fields: str) -> list[FieldError]:
    return [
        invalid(path.child(field), spec[field], text)
        for field in fields
        if spec.get(field)
        for text in _NAMES[field](spec[field])
    ]


def _validate_deadline(spec: Object, path: Path) -> list[FieldError]:
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is None or 1 <= deadline <= _MAX_INT32:
        return []
    return [invalid(path, deadline, f"must be between 1 and {_MAX_INT32}, inclusive")]


def _validate_rest(spec: Object, path: Path) -> list[FieldError]:
    errors = validate_preemption_policy(spec.get("preemptionPolicy"), path.child("preemptionPolicy"))
    if spec.get("overhead"):
        errors += validate_amounts({"limits": spec["overhead"]}, path.child("overhead"))
    system = spec.get("os")
    if system is not None and system.get("name") not in ("linux", "windows"):
        name = system.get("name") or ""
        at = path.child("os")
        errors.append(not_supported(at, name, ("linux", "windows")) if name else required(at.child("name")))
    errors += validate_for_system(spec, path)
    errors += _validate_group(spec.get("schedulingGroup"), path.child("schedulingGroup", "podGroupName"))
    return errors + validate_file_volumes(spec, path)


def _validate_group(group: Object | None, path: Path) -> list[FieldError]:
    if group is None:
        return []
    name = group.get("podGroupName")
    if name is None:
        return [invalid(path, None, "must specify one of: `podGroupName`")]
    return [invalid(path, name, text) for text in names.dns_subdomain(name)]


def _validate_hostname(spec: Object, path: Path) -> list[FieldError]:
    """What the pod calls itself, in place of what it is called."""
    name = spec.get("hostnameOverride")
    if name is None:
        return []
    errors = [
        forbidden(path, f"may not be specified when {field} is true")
        for field in ("setHostnameAsFQDN", "hostNetwork")
        if spec.get(field)
    ]
    if names.byte_length(name) > _HOSTNAME_MAX:
        errors.append(too_long(path, _HOSTNAME_MAX))
    return errors + [invalid(path, name, text) for text in names.dns_subdomain(name)]


def validate_preemption_policy(policy: str | None, path: Path) -> list[FieldError]:
    choices = ("PreemptLowerPriority", "Never")
    if policy is None or policy in choices:
        return []
    return [not_supported(path, policy, choices, in_order=True)] if policy else [required(path)]


def validate_template(template: Object, path: Path, rules: PodRules = NEW_POD) -> list[FieldError]:
    """Metadata and spec of a pod template; selectors and restart policies are the workload's matter."""
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    errors = validate_template_labels(meta, path)
    whole = {"metadata": meta, "spec": spec}
    errors += validate_pod_annotations(whole, path.child("annotations"))
    errors += validate_pod_spec(spec, path.child("spec"), rules)
    errors += validate_agreement(whole, path.child("spec"))
    if spec.get("ephemeralContainers"):
        at = path.child("spec", "ephemeralContainers")
        errors.append(forbidden(at, "ephemeral containers not allowed in pod template"))
    return errors


def validate_template_labels(meta: Object, path: Path) -> list[FieldError]:
    """Labels and annotations of a template, as of anything else."""
    errors = validate_labels(meta.get("labels") or {}, path.child("labels"))
    return errors + validate_annotations(meta.get("annotations") or {}, path.child("annotations"))
