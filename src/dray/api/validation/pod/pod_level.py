"""What a pod asks for as a whole is no less than what its containers ask for together, nor is any limit beyond the pod's."""

from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.pod_level import HUGE_PAGES, together
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import items_of


def validate_pod_level(spec: Object, path: Path) -> list[FieldError]:
    resources = spec.get("resources")
    if resources is None:
        return []
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    errors: list[FieldError] = []
    for name, amount in together(spec, "requests").items():
        if name in requests and amount > parse_quantity(requests[name]):
            text = f"must be greater than or equal to aggregate container requests of {amount}"
            errors.append(
                invalid(path.child("requests").key(name), str(parse_quantity(requests[name])), text)
            )
    for name, amount in together(spec, "limits").items():
        if name.startswith(HUGE_PAGES) and name in limits and amount > parse_quantity(limits[name]):
            text = f"must be greater than or equal to aggregate container limits of {amount}"
            errors.append(invalid(path.child("limits").key(name), str(parse_quantity(limits[name])), text))
    for index, container in enumerate(items_of(spec.get("containers"))):
        errors += _validate_limits(container, limits, path.child("containers").index(index))
    return errors


def _validate_limits(container: Object, limits: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, text in sorted(((container.get("resources") or {}).get("limits") or {}).items()):
        own = parse_quantity(text)
        if name in limits and own > parse_quantity(limits[name]):
            detail = f"must be less than or equal to pod limits of {parse_quantity(limits[name])}"
            errors.append(invalid(path.key(name).child("limits"), str(own), detail))
    return errors
