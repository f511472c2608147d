"""pods/binding: the scheduler gives a pod its node. Every refusal of the pod itself is a Conflict."""

from typing import Final

from dray.api import errors, fields
from dray.api.fields import FieldError, Path
from dray.api.meta import Object, clone, format_time, is_deleting
from dray.apiserver.core import Call
from dray.apiserver.type_name import TypeName
from dray.apiserver.verbs.posting import check_name, created
from dray.apiserver.verbs.update import amend

BINDING: Final = TypeName("v1", "Binding")


async def bind(call: Call, binding: Object) -> Object:
    """Assign the pod to `target.name`. Raises NotFound, BadRequest, a 500, or Conflict for a pod that may not be bound (now)."""
    check_name(call, binding, BINDING.kind)
    target = binding.get("target") or {}
    if found := _target_errors(target):
        # A plain 500: the list of findings itself, which nobody made an Invalid of.
        texts = [str(problem) for problem in found]
        raise errors.StatusError(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    meta, root = binding["metadata"], "" if call.dry_run else "/registry"

    def assigned(pod: Object) -> Object:
        if unmet := _precondition(pod, meta):
            why = (
                f"StorageError: invalid object, Code: 4, Key: {root}/pods/{call.path}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: {unmet}"
            )
            raise errors.conflict("", "pods", call.name, why)
        if why := _refusal(pod, call.name):
            raise errors.conflict("", "pods/binding", call.name, why)
        return _assigned(call, pod, target["name"], meta)

    await amend(call, assigned)
    return created()


def _target_errors(target: Object) -> list[FieldError]:
    path, found = Path("target"), []
    if target.get("kind") not in (None, "", "Node"):
        found.append(
            fields.not_supported(
                path.child("kind"), target["kind"], ["Node", "<empty>"], in_order=True, is_plain=True
            )
        )
    if not target.get("name"):
        found.append(fields.required(path.child("name")))
    return found


def _precondition(pod: Object, wanted: Object) -> str:
    """What is wrong with the uid or resourceVersion that the binding names."""
    meta = pod["metadata"]
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    if uid and uid != meta["uid"]:
        return f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
    if version and version != meta["resourceVersion"]:
        return (
            f"Precondition failed: ResourceVersion in precondition: {version}, "
            f"ResourceVersion in object meta: {meta['resourceVersion']}"
        )
    return ""


def _refusal(pod: Object, name: str) -> str:
    if is_deleting(pod):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    if node := pod["spec"].get("nodeName"):
        return f'pod {name} is already assigned to node "{node}"'
    if pod["spec"].get("schedulingGates"):
        return f"pod {name} has non-empty .spec.schedulingGates"
    return ""


def _assigned(call: Call, pod: Object, node: str, meta: Object) -> Object:
    """With the labels and annotations that the binding has."""
    new: Object = clone(pod)
    new["spec"]["nodeName"] = node
    for field in ("annotations", "labels"):
        if meta.get(field):
            merged = {**(new["metadata"].get(field) or {}), **meta[field]}
            new["metadata"][field] = dict(sorted(merged.items()))
    status = new.setdefault("status", {})
    # The promise of a node is kept now, and would hold back its room for nobody.
    status.pop("nominatedNodeName", None)
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": format_time(call.now),
    }
    others = [other for other in status.get("conditions") or () if other["type"] != condition["type"]]
    status["conditions"] = [*others, condition]
    return new
