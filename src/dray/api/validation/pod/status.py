"""What a pod's status may say, above all of claims and the health of devices."""

from dray.api import names
from dray.api.fields import (
    Choice,
    FieldError,
    Path,
    duplicate,
    forbidden,
    internal,
    invalid,
    not_supported,
    required,
    too_long,
)
from dray.api.meta import Object
from dray.api.restart_rules import RESTART, action_of, may_restart_all
from dray.api.validation.addresses import one_of_each_family, parse_address, validate_plain_address
from dray.api.validation.lists import items_of
from dray.api.validation.meta import immutable
from dray.api.validation.pod.annotations import validate_annotation_changes
from dray.api.validation.pod.node_claims import (
    FIELD,
    declared,
    validate_node_claims,
    validate_node_claims_137,
)

STATUS = Path("status")
HEALTHS = ("Healthy", "Unhealthy", "Unknown")
MESSAGE_MAX_BYTES = 1024
_USER_MAX = 2**31 - 1

_NOT_A_CLAIM = (
    "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or "
    "'claim:<claimName>' if request is empty"
)


def validate_pod_status(new: Object, old: Object, *, release_137: bool = False) -> list[FieldError]:
    """All but the ObjectMeta that every kind has. `release_137`: in the form and by the rules of that release."""
    status, before = new.get("status") or {}, old.get("status") or {}
    spec = new.get("spec") or {}
    errors = validate_annotation_changes(new, old)
    errors += _validate_conditions(items_of(status.get("conditions")))
    errors += _validate_generation(status, STATUS.child("observedGeneration"))
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        at = STATUS.child("nominatedNodeName")
        errors += [invalid(at, nominated, text) for text in names.dns_subdomain(nominated)]
        if spec.get("nodeName"):
            errors.append(forbidden(at, "may not be set on pods that are already bound to a node"))
    quality = status.get("qosClass")
    shown = None if quality is None else Choice(quality)
    errors += immutable(shown, before.get("qosClass"), STATUS.child("qosClass"))
    errors += _validate_transitions(status, before, spec)
    errors += _validate_users(status)
    errors += _validate_claim_statuses(status, spec, STATUS.child("resourceClaimStatuses"))
    errors += _validate_extended_claim(
        status.get("extendedResourceClaimStatus"), spec, STATUS.child("extendedResourceClaimStatus")
    )
    errors += _validate_health(status, spec)
    at = STATUS.child(FIELD)
    errors += (validate_node_claims_137 if release_137 else validate_node_claims)(status, spec, at)
    errors += _validate_addresses(status, before)
    return errors + (declared(status, at) if release_137 else [])


def _validate_conditions(conditions: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, condition in enumerate(conditions):
        at, kind = STATUS.child("conditions").index(index), condition.get("type") or ""
        errors += _validate_generation(condition, at.child("observedGeneration"))
        # Kubernetes prints Go's field name here.
        errors += [invalid(at.child("Type"), kind, text) for text in names.qualified_name(kind)]
    return errors


def _validate_generation(holder: Object, path: Path) -> list[FieldError]:
    seen = holder.get("observedGeneration") or 0
    return [] if seen >= 0 else [invalid(path, seen, "must be a non-negative integer")]


def _validate_users(status: Object) -> list[FieldError]:
    """As whom the containers really run."""
    errors: list[FieldError] = []
    for field in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for index, one in enumerate(items_of(status.get(field))):
            at, user = (
                STATUS.child(field).index(index).child("user", "linux"),
                (one.get("user") or {}).get("linux"),
            )
            for part in ("uid", "gid"):
                errors += _validate_user(at.child(part), (user or {}).get(part) or 0)
            for position, group in enumerate((user or {}).get("supplementalGroups") or ()):
                errors += _validate_user(at.child("supplementalGroups").index(position), group)
    return errors


def _validate_user(path: Path, number: int) -> list[FieldError]:
    if 0 <= number <= _USER_MAX:
        return []
    return [invalid(path, number, f"must be between 0 and {_USER_MAX}, inclusive")]


def _validate_transitions(status: Object, before: Object, spec: Object) -> list[FieldError]:
    """A container that ended for good stays ended. It is named by its place in the stored list."""
    policy = spec.get("restartPolicy")
    fields = ("initContainers", "containers")
    containers = {one.get("name"): one for field in fields for one in items_of(spec.get(field))}
    if policy == "Always" or any(map(may_restart_all, containers.values())):
        return []
    errors: list[FieldError] = []
    for field in ("containerStatuses", "initContainerStatuses"):
        now = {one.get("name"): one for one in items_of(status.get(field))}
        for index, earlier in enumerate(items_of(before.get(field))):
            was, name = _ended(earlier), earlier.get("name")
            if was is None or name not in now:
                continue
            if _runs_again(containers.get(name) or {}, policy, was.get("exitCode") or 0):
                continue
            if _ended(now[name]) is None:
                at = STATUS.child(field).index(index).child("state")
                errors.append(forbidden(at, "may not be transitioned to non-terminated state"))
    return errors


def _runs_again(container: Object, policy: str | None, exit_code: int) -> bool:
    """By its own rules, or its own policy, or else the pod's."""
    if action := action_of(container, exit_code):
        return action == RESTART
    policy = container.get("restartPolicy") or policy
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def _ended(status: Object | None) -> Object | None:
    ended = ((status or {}).get("state") or {}).get("terminated")
    return None if ended is None else dict(ended)


def _validate_claim_statuses(status: Object, spec: Object, path: Path) -> list[FieldError]:
    claims = {claim.get("name") for claim in items_of(spec.get("resourceClaims"))}
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, one in enumerate(items_of(status.get("resourceClaimStatuses"))):
        at, name = path.index(index), one.get("name") or ""
        if name not in claims:
            text = "must match the name of an entry in `spec.resourceClaims`"
            errors.append(invalid(at.child("name"), name, text))
        if name in seen:
            errors.append(duplicate(at.child("name"), name))
        seen.add(name)
        if (claim := one.get("resourceClaimName")) is not None:
            where = at.child("resourceClaimName")
            errors += [invalid(where, Choice(claim), text) for text in names.dns_subdomain(claim)]
    return errors


def _validate_extended_claim(extended: Object | None, spec: Object, path: Path) -> list[FieldError]:
    if extended is None:
        return []
    mappings = items_of(extended.get("requestMappings"))
    errors: list[FieldError] = []
    if not mappings:
        text = "at least one request mapping is required"
        errors.append(required(path.child("requestMappings"), text))
    containers = {
        container.get("name"): container
        for field in ("initContainers", "containers")
        for container in items_of(spec.get(field))
    }
    seen: set[tuple[str, ...]] = set()
    for index, mapping in enumerate(mappings):
        at = path.child("requestMappings").index(index)
        errors += _validate_mapping(mapping, containers, at, path)
        key = tuple(mapping.get(field) or "" for field in _MAPPING_FIELDS)
        if key in seen:
            errors += [duplicate(at.child(field), mapping.get(field) or "") for field in _MAPPING_FIELDS]
        seen.add(key)
    claim, where = extended.get("resourceClaimName") or "", path.child("resourceClaimName")
    if not claim:
        return [*errors, required(where)]
    return errors + [invalid(where, claim, text) for text in names.dns_subdomain(claim)]


_MAPPING_FIELDS = ("containerName", "resourceName", "requestName")


def _validate_mapping(
    mapping: Object, containers: dict[str | None, Object], path: Path, parent: Path
) -> list[FieldError]:
    errors: list[FieldError] = []
    name, resource = mapping.get("containerName") or "", mapping.get("resourceName") or ""
    if name not in containers:
        text = "must match the name of an entry in spec.initContainers.name or spec.containers.name"
        errors.append(invalid(path.child("containerName"), name, text))
    else:
        requests = (containers[name].get("resources") or {}).get("requests") or {}
        if resource not in requests:
            text = "must match the resource name in the container's resource requests"
            errors.append(invalid(path.child("resourceName"), resource, text))
    request = mapping.get("requestName") or ""
    # Kubernetes leaves the index out of this one's path.
    at = parent.child("requestName")
    return errors + [invalid(at, request, text) for text in names.dns_label(request)]


def _validate_health(status: Object, spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for statuses, field in (("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")):
        containers = {one.get("name"): one for one in items_of(spec.get(field))}
        for index, one in enumerate(items_of(status.get(statuses))):
            container = containers.get(one.get("name"))
            at = STATUS.child(statuses).index(index).child("allocatedResourcesStatus")
            errors += _validate_resource_statuses(
                items_of(one.get("allocatedResourcesStatus")), container, at
            )
    for index, one in enumerate(items_of(status.get("ephemeralContainerStatuses"))):
        if one.get("allocatedResourcesStatus"):
            at = STATUS.child("ephemeralContainerStatuses").index(index).child("allocatedResourcesStatus")
            errors.append(forbidden(at, "must not be specified in container status"))
    return errors


def _validate_resource_statuses(
    statuses: list[Object], container: Object | None, path: Path
) -> list[FieldError]:
    """`container`: the one that the status is of; of one that does not exist only the devices are judged."""
    resources = (container or {}).get("resources") or {}
    claims = {
        f"claim:{use.get('name', '')}" + (f"/{use['request']}" if use.get("request") else "")
        for use in items_of(resources.get("claims"))
    }
    errors: list[FieldError] = []
    for index, one in enumerate(statuses):
        at, name = path.index(index), one.get("name") or ""
        if container is None:
            pass
        elif name.startswith("claim:"):
            if name not in claims:
                errors.append(invalid(at.child("name"), name, _NOT_A_CLAIM))
        elif name not in (resources.get("requests") or {}):
            text = "must match one of the container's resource requests"
            errors.append(invalid(at.child("name"), name, text))
        errors += _validate_devices(items_of(one.get("resources")), at.child("resources"))
    return errors


def _validate_devices(devices: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, device in enumerate(devices):
        at, health = path.index(index), device.get("health") or ""
        if health not in HEALTHS:
            errors.append(not_supported(at.child("health"), health, HEALTHS))
        message = device.get("message")
        if message is not None and not message:
            errors.append(required(at.child("message"), "must be non-empty if specified"))
        elif message is not None and names.byte_length(message) > MESSAGE_MAX_BYTES:
            errors.append(too_long(at.child("message"), MESSAGE_MAX_BYTES))
        identity = device.get("resourceID") or ""
        if identity in seen:
            errors.append(duplicate(at.child("resourceID"), identity))
        seen.add(identity)
    return errors


def _validate_addresses(status: Object, before: Object) -> list[FieldError]:
    errors = _validate_address_list(status, before, "podIPs")
    hosts = items_of(status.get("hostIPs"))
    if hosts and (first := hosts[0].get("ip") or "") != (status.get("hostIP") or ""):
        at = STATUS.child("hostIPs").index(0).child("ip")
        errors.append(invalid(at, first, "must be equal to `hostIP`"))
    return errors + _validate_address_list(status, before, "hostIPs")


def _validate_address_list(status: Object, before: Object, field: str) -> list[FieldError]:
    """At most one address of each family; those that were there already are not judged."""
    at, addresses = STATUS.child(field), items_of(status.get(field))
    texts = [one.get("ip") or "" for one in addresses]
    kept = {one.get("ip") or "" for one in items_of(before.get(field))}
    errors = [
        error
        for index, text in enumerate(texts)
        if text not in kept
        for error in validate_plain_address(text, at.index(index))
    ]
    if len(texts) < 2:
        return errors
    bad = next((index for index, text in enumerate(texts) if parse_address(text) is None), None)
    if bad is not None:
        text = f"failed to check for dual stack with error:invalid IP[{bad}]: {texts[bad]}"
        errors.append(internal(at, text))
    if not one_of_each_family(texts):
        shown = [{"IP": text} for text in texts]
        errors.append(invalid(at, shown, "may specify no more than one IP for each IP family"))
    return errors
