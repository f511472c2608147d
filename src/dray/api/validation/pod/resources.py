"""Resources of containers and pods: names, amounts, requests within limits, and the device claims used."""

from collections.abc import Collection, Mapping

from dray.api import names
from dray.api.fields import (
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from dray.api.meta import Object
from dray.api.pod_level import HUGE_PAGES, SHARED, is_of_pod
from dray.api.quantity import Quantity, parse_quantity
from dray.api.validation.lists import items_of

_CONTAINER_RESOURCES = {"cpu", "memory", "ephemeral-storage"}
_COUNTED_RESOURCES = {
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
}  # fmt: skip
_STANDARD_RESOURCES = _CONTAINER_RESOURCES | {
    "storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers", "requests.cpu", "requests.memory",
    "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
}  # fmt: skip


def is_native(name: str) -> bool:
    """A resource of Kubernetes itself."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    if is_native(name) or name.startswith("requests."):
        return False
    return not names.qualified_name(f"requests.{name}")


def is_whole(name: str) -> bool:
    """A resource that comes in whole numbers."""
    return name in _COUNTED_RESOURCES or is_extended(name)


def allows_overcommit(name: str) -> bool:
    """Whether a limit may be higher than the request."""
    return is_native(name) and not name.startswith(HUGE_PAGES)


def validate_container_resources(resources: Object, claims: Collection[str], path: Path) -> list[FieldError]:
    """`claims` are the names of the pod's resource claims."""
    errors = validate_amounts(resources, path)
    return errors + _validate_claims(items_of(resources.get("claims")), claims, path.child("claims"))


def validate_pod_resources(resources: Object | None, claims: Collection[str], path: Path) -> list[FieldError]:
    """Resources of the pod as a whole, which cannot use claims."""
    if resources is None:
        return []
    errors: list[FieldError] = []
    if resources.get("claims") is not None:
        text = "claims may not be set for Resources at pod-level"
        errors.append(forbidden(path.child("claims"), text))
    errors += validate_amounts(resources, path, of_pod=True)
    return errors + _validate_claims(items_of(resources.get("claims")), claims, path.child("claims"))


def validate_amounts(resources: Object, path: Path, *, of_pod: bool = False) -> list[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors: list[FieldError] = []
    for name, amount in limits.items():
        errors += _validate_amount(name, parse_quantity(amount), path.child("limits").key(name), of_pod)
    for name, amount in requests.items():
        errors += _validate_amount(name, parse_quantity(amount), path.child("requests").key(name), of_pod)
        errors += _validate_request(name, parse_quantity(amount), limits, path)
    used = {*limits, *requests}
    if any(name.startswith(HUGE_PAGES) for name in used) and not used & {"cpu", "memory"}:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors


def _validate_request(
    name: str, request: Quantity, limits: Mapping[str, str], path: Path
) -> list[FieldError]:
    at = path.child("requests")
    if name not in limits:
        if allows_overcommit(name):
            return []
        return [required(path.child("limits"), "Limit must be set for non overcommitable resources")]
    limit = parse_quantity(limits[name])
    if request != limit and not allows_overcommit(name):
        return [invalid(at, str(request), f"must be equal to {name} limit of {limit}")]
    if request > limit:
        return [invalid(at, str(request), f"must be less than or equal to {name} limit of {limit}")]
    return []


def _validate_amount(name: str, amount: Quantity, path: Path, of_pod: bool) -> list[FieldError]:
    errors = _validate_name_of_pod(name, path) if of_pod else validate_resource_name(name, path)
    if amount.sign() < 0:
        errors.append(invalid(path, str(amount), "must be greater than or equal to 0"))
    if is_whole(name) and not amount.has_whole_thousands():
        errors.append(invalid(path, str(amount), "must be an integer"))
    if name.startswith(HUGE_PAGES):
        errors += _validate_pages(name, amount, path)
    return errors


def _validate_pages(name: str, amount: Quantity, path: Path) -> list[FieldError]:
    """Memory in pages comes in whole pages."""
    try:
        size = parse_quantity(name.removeprefix(HUGE_PAGES))
    except ValueError:
        return []
    pages, wanted = size.value(), amount.value()
    if pages <= 0 or wanted % pages == 0:
        return []
    return [invalid(path, str(amount), f"{amount} is not positive integer multiple of {name}")]


def _validate_name_of_pod(name: str, path: Path) -> list[FieldError]:
    """Of a pod as a whole only these are shared out."""
    if errors := [invalid(path, name, text) for text in names.qualified_name(name)]:
        return errors
    if "/" not in name and not name.startswith(HUGE_PAGES) and name not in _STANDARD_RESOURCES:
        return [invalid(path, name, "must be a standard resource type or fully qualified")]
    if is_of_pod(name):
        return []
    return [not_supported(path, name, (*SHARED, HUGE_PAGES))]


def validate_resource_name(name: str, path: Path) -> list[FieldError]:
    """Of what a container may ask for."""
    errors = [invalid(path, name, text) for text in names.qualified_name(name)]
    huge = name.startswith(HUGE_PAGES)
    if "/" not in name:
        if not errors and not huge and name not in _STANDARD_RESOURCES:
            errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
        if not huge and name not in _CONTAINER_RESOURCES:
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def _validate_claims(uses: list[Object], claims: Collection[str], path: Path) -> list[FieldError]:
    """Each use names a claim of the pod, whole or one request of it, but not both and nothing twice."""
    errors: list[FieldError] = []
    whole: set[str] = set()
    parts: dict[str, set[str]] = {}
    for index, use in enumerate(uses):
        at = path.index(index)
        name, request = use.get("name") or "", use.get("request") or ""
        if not name:
            errors.append(required(at))
            continue
        if name in whole or (not request and name in parts):
            errors.append(duplicate(at, name))
        elif request in parts.get(name, ()):
            errors.append(duplicate(at, f"{name}/{request}"))
        elif request:
            errors += [invalid(at.child("request"), request, text) for text in names.dns_label(request)]
            parts.setdefault(name, set()).add(request)
        else:
            whole.add(name)
        if name not in claims:
            text = "must be one of the names in pod.spec.resourceClaims"
            known = f": {', '.join(sorted(claims))}" if claims else " which is empty"
            errors.append(not_found(at, name, text + known))
    return errors
