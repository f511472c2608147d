"""PriorityClasses: at most one of them is the default.

Source: kubernetes plugin/pkg/admission/priority, 1.36.
"""

from dray.api import errors
from dray.api.meta import Object, name_of
from dray.api.resources import PRIORITY_CLASSES
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest, prefix_of

_SYSTEM_PRIORITIES = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}


def default_priority_class(request: AdmissionRequest) -> Object | None:
    """Of several global defaults the one with the lowest value holds."""
    store = request.call.core.store
    records = store.page(PRIORITY_CLASSES.qualified, prefix_of(PRIORITY_CLASSES, "")).records
    defaults = [record.obj for record in records if record.obj.get("globalDefault")]
    return min(defaults, key=lambda each: int(each["value"]), default=None)


def priority_of(request: AdmissionRequest, name: str, obj: Object) -> tuple[str, int, str]:
    """Name, value and preemption policy of the class that `name` means for `obj`; "" means the default class.

    Raises Forbidden for a class that does not exist.
    """
    chosen = request.call.find(PRIORITY_CLASSES, name) if name else default_priority_class(request)
    if name and chosen is None and name not in _SYSTEM_PRIORITIES:
        resource = request.call.kind.resource
        why = f"no PriorityClass with name {name} was found"
        raise errors.forbidden(resource.group, resource.plural, display_name(obj), why)
    value = int(chosen["value"]) if chosen else _SYSTEM_PRIORITIES.get(name, 0)
    policy = (chosen or {}).get("preemptionPolicy") or "PreemptLowerPriority"
    return name_of(chosen) if chosen is not None else name, value, str(policy)


class OneDefaultPriority:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden for a second default."""
        new = request.object
        if new is None or not new.get("globalDefault"):
            return
        default = default_priority_class(request)
        if default is None or (request.operation == "UPDATE" and name_of(default) == name_of(new)):
            return
        why = f"PriorityClass {name_of(default)} is already marked as default. Only one default can exist"
        raise errors.forbidden(PRIORITY_CLASSES.group, PRIORITY_CLASSES.plural, name_of(new), why)
