"""PriorityClasses: at most one of them is the default.

Source: kubernetes plugin/pkg/admission/priority, 1.36.
"""

from dray.api import errors
from dray.api.meta import Object, name_of
from dray.api.resources import PRIORITY_CLASSES
from dray.apiserver.access import AdmissionRequest
from dray.apiserver.core import prefix_of


def default_priority_class(request: AdmissionRequest) -> Object | None:
    """Of several global defaults the one with the lowest value holds."""
    store = request.call.core.store
    records = store.page(PRIORITY_CLASSES.qualified, prefix_of(PRIORITY_CLASSES, "")).records
    defaults = [record.obj for record in records if record.obj.get("globalDefault")]
    return min(defaults, key=lambda each: int(each["value"]), default=None)


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
