"""What a pod's RuntimeClass brings with it: overhead, and where and despite which taints it runs.

Source: kubernetes plugin/pkg/admission/runtimeclass, 1.36.
"""

from collections.abc import Sequence

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object
from dray.api.names import path_segment
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.registry.runtime_class import RUNTIME_CLASSES

_MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_WITHOUT = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClassRules:
    """For new pods."""

    async def mutate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        pod = request.object
        if pod is None or request.operation != "CREATE":
            return
        runtime_class = _class_of(request, pod)
        _set_overhead(pod, runtime_class)
        _set_scheduling(pod, runtime_class.get("scheduling") or {})

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden: what others changed since must still fit."""
        pod = request.object
        if pod is None or request.operation != "CREATE":
            return
        fixed = _fixed(_class_of(request, pod))
        given = pod["spec"].get("overhead")
        if fixed is None and given is not None:
            raise _refused(pod, _WITHOUT)
        if fixed is not None and (given or {}) != fixed:
            raise _refused(pod, _MISMATCH)


def _class_of(request: AdmissionRequest, pod: Object) -> Object:
    """Empty for a pod that names none. Raises Forbidden for one that does not exist, StatusError for what is no name."""
    name = pod["spec"].get("runtimeClassName")
    if name is None:
        return {}
    if problems := path_segment(name):
        raise errors.StatusError(f"invalid resource name {quote(name)}: [{' '.join(problems)}]")
    found = request.call.find(RUNTIME_CLASSES, name)
    if found is None:
        raise _refused(pod, f"pod rejected: RuntimeClass {quote(name)} not found")
    return found


def _fixed(runtime_class: Object) -> Object | None:
    overhead = runtime_class.get("overhead")
    return None if overhead is None else overhead.get("podFixed") or {}


def _set_overhead(pod: Object, runtime_class: Object) -> None:
    fixed = _fixed(runtime_class)
    if fixed is None:
        return
    given = pod["spec"].get("overhead")
    if given is not None and given != fixed:
        raise _refused(pod, _MISMATCH)
    if fixed:
        pod["spec"]["overhead"] = dict(fixed)


def _set_scheduling(pod: Object, scheduling: Object) -> None:
    spec, wanted = pod["spec"], scheduling.get("nodeSelector") or {}
    labels = spec.get("nodeSelector") or {}
    for key, value in wanted.items():
        if labels.get(key, value) != value:
            place = f"nodeSelector[{key}]"
            why = f"conflict: runtimeClass.scheduling.{place} = {value}; pod.spec.{place} = {labels[key]}"
            raise _refused(pod, why)
    if wanted:
        spec["nodeSelector"] = {**labels, **wanted}
    if scheduling.get("tolerations"):
        spec["tolerations"] = _merged([*(spec.get("tolerations") or ()), *scheduling["tolerations"]])


def _merged(tolerations: Sequence[Object]) -> list[Object]:
    """Without those that another covers; of equal ones the first stays."""
    kept: list[Object] = []
    for place, toleration in enumerate(tolerations):
        later = [other for other in tolerations[place + 1 :] if other != toleration]
        if not any(_covers(other, toleration) for other in (*kept, *later)):
            kept.append(toleration)
    return kept


def _covers(wide: Object, narrow: Object) -> bool:
    """Whether everything that `narrow` tolerates, `wide` does, and as long."""
    if wide == narrow:
        return True
    exists = wide.get("operator") == "Exists"
    if wide.get("key") != narrow.get("key") and (wide.get("key") or not exists):
        return False
    if wide.get("effect") and wide["effect"] != narrow.get("effect"):
        return False
    if wide.get("effect") == "NoExecute" and (limit := wide.get("tolerationSeconds")) is not None:
        given = narrow.get("tolerationSeconds")
        if given is None or given > limit:
            return False
    same = narrow.get("operator") != "Exists" and wide.get("value") == narrow.get("value")
    return exists or same


def _refused(pod: Object, why: str) -> errors.Forbidden:
    return errors.forbidden("", "pods", display_name(pod), why)
