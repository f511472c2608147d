"""The scale subresource: one autoscaling/v1 Scale for every kind that has replicas."""

from collections.abc import Callable
from typing import Any, Final

from dray.api import errors, fields
from dray.api.fields import Path
from dray.api.meta import Object, clone
from dray.apiserver.core import Call
from dray.apiserver.structure import Body
from dray.apiserver.type_name import TypeName
from dray.apiserver.verbs import managed
from dray.apiserver.verbs.patch import LazyPatch
from dray.apiserver.verbs.read import get
from dray.apiserver.verbs.update import replace
from dray.client.protocol import PatchType

SCALE: Final = TypeName("autoscaling/v1", "Scale")
_SHOWN_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


async def get_scale(call: Call) -> Object:
    """Raises NotFound."""
    return scale_of((await get(call)).obj)


async def update_scale(call: Call, scale: Object) -> Object:
    """Set the replicas a Scale asks for. Raises NotFound, Conflict, Invalid."""
    meta = scale["metadata"]
    if meta.get("name") not in (None, "", call.name):
        raise errors.BadRequest(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})"
        )
    return await _set(call, lambda stored: scale, is_unconditional=not meta.get("resourceVersion"))


async def patch_scale(call: Call, patch_type: PatchType, body: Body) -> Object:
    """Apply a patch to the Scale. Raises BadRequest, NotFound, Conflict, Invalid."""
    wanted = LazyPatch(call, patch_type, body, SCALE)
    return await _set(call, lambda stored: wanted(scale_of(stored)), is_unconditional=True)


async def _set(call: Call, scale_for: Callable[[Object], Object], *, is_unconditional: bool) -> Object:
    def change(stored: Object) -> Object:
        scale = scale_for(stored)
        replicas = (scale.get("spec") or {}).get("replicas") or 0
        if replicas < 0:
            at = Path("spec.replicas")
            found = [fields.invalid(at, replicas, "must be greater than or equal to 0")]
            raise errors.invalid("autoscaling", SCALE.kind, call.name, found)
        new: Object = clone(stored)
        new["spec"]["replicas"] = replicas
        if version := scale["metadata"].get("resourceVersion"):
            new["metadata"]["resourceVersion"] = version
        managed.record_scale(call, new, stored)
        return new

    # The kind's own strategy must see an update of the object itself: a new number of replicas is a new generation.
    record = await replace(call, change, is_unconditional=is_unconditional, is_whole=True)
    return scale_of(record.obj)


def scale_of(obj: Object) -> Object:
    """The Scale that an object with replicas shows."""
    spec, status = obj["spec"], obj.get("status") or {}
    shown: Object = {"replicas": int(status.get("replicas") or 0)}
    if selector := _selector_text(spec.get("selector")):
        shown["selector"] = selector
    meta = obj["metadata"]
    wanted: Object = {"replicas": spec["replicas"]} if spec.get("replicas") else {}
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: meta[key] for key in _SHOWN_METADATA if key in meta},
        "spec": wanted,
        "status": shown,
    }


def _selector_text(selector: Any) -> str:
    """A label selector as text; ReplicationControllers have a plain map."""
    if not selector:
        return ""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        terms.append(_expression_text(expression))
    return ",".join(sorted(terms))


def _expression_text(expression: Object) -> str:
    key, operator = expression["key"], expression["operator"]
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    values = ",".join(sorted(expression.get("values") or ()))
    return f"{key} {operator.lower()} ({values})"
