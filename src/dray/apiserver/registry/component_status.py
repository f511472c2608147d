"""ComponentStatus: how the parts of the control plane are, asked when somebody reads it. Deprecated since 1.19."""

import datetime as dt

from dray.api.meta import Object
from dray.api.resources import COMPONENT_STATUSES
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import NAME, find
from dray.apiserver.registry.kind import Column, Deprecation, Kind

_STATES = {"True": "Healthy", "False": "Unhealthy"}


def _state(obj: Object, now: dt.datetime) -> str:
    return _STATES.get(_of_health(obj, "status"), "Unknown")


def _of_health(obj: Object, key: str) -> str:
    for condition in items_of(obj.get("conditions")):
        if condition.get("type") == "Healthy":
            return str(find(condition, key, default=""))
    return ""


COMPONENT_STATUS = Kind(
    COMPONENT_STATUSES,
    singular="componentstatus",
    short_names=("cs",),
    verbs=("get", "list"),
    columns=(
        NAME,
        Column("Status", _state, description="Whether it is healthy."),
        Column("Message", lambda obj, now: _of_health(obj, "message"), description="What it says."),
        Column("Error", lambda obj, now: _of_health(obj, "error"), description="Why it could not be asked."),
    ),
    told=True,
    deprecated={"v1": Deprecation("1.19")},
)
