"""What two runs of a demo have in common: everything but times, made-up names and which of equal things was taken.

Which of two idle nodes a pod gets is a throw of dice in Kubernetes, and the number of the GPU follows from it. So nodes
become `<node>`, and the devices of a claim are numbered anew; that a pod runs where its devices are, and that no device
is given twice, is checked on the side (`double_use`, `strays`).
"""

import re
from collections.abc import Mapping
from typing import Any

from dray.api.meta import Object

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NODE = re.compile(r"kind-worker2?")
_TIMES = frozenset(
    {"allocationTimestamp", "finishedAt", "lastProbeTime", "lastTransitionTime", "startTime", "startedAt"}
)
_OF_THE_RUNTIME = frozenset(
    {"containerID", "hostIP", "hostIPs", "image", "imageID", "podIP", "podIPs", "user", "volumeMounts"}
)
"""Status members that name the container runtime's own things."""
_DEVICE = re.compile(r"^(gpu|nic|numa)-(\d+)")
_VARIABLE = re.compile(r"^((?:GPU|NIC|NET|CPU)_DEVICE_(?:GPU_|NIC_|NUMA_)?)(\d+)")


def comparable(stage: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    names = _made_up_names(stage["claims"])
    numbers = {claim["metadata"]["name"]: _numbering(claim) for claim in stage["claims"]}

    def plain(text: str) -> str:
        for name, stem in names.items():
            text = text.replace(name, stem)
        text = re.sub(rf"\b{re.escape(namespace)}/", "<namespace>/", text)
        return UUID.sub("<uid>", _NODE.sub("<node>", text))

    return {
        "pods": {pod["metadata"]["name"]: _cleaned(_pod(pod), plain) for pod in stage["pods"]},
        "claims": {
            plain(claim["metadata"]["name"]): _cleaned(
                _claim(claim, numbers[claim["metadata"]["name"]]), plain
            )
            for claim in stage["claims"]
        },
        "events": sorted(_cleaned(_event(event), plain) for event in stage["events"]),
        "variables": {
            container: _variables(variables, _numbers_of_pod(container.split("/")[0], stage, numbers), plain)
            for container, variables in stage["variables"].items()
        },
    }


def _made_up_names(claims: list[Object]) -> dict[str, str]:
    metadata = [claim["metadata"] for claim in claims]
    return {one["name"]: f"{one['generateName']}*" for one in metadata if "generateName" in one}


def _results(claim: Object) -> list[Object]:
    found: list[Object] = claim.get("status", {}).get("allocation", {}).get("devices", {}).get("results", [])
    return found


def _numbering(claim: Object) -> dict[int, int]:
    matches = [_DEVICE.match(result["device"]) for result in _results(claim)]
    return {
        number: index for index, number in enumerate(sorted({int(match[2]) for match in matches if match}))
    }


def _numbers_of_pod(pod: str, stage: Mapping[str, Any], numbers: dict[str, dict[int, int]]) -> dict[int, int]:
    (found,) = [one for one in stage["pods"] if one["metadata"]["name"] == pod]
    uid = found["metadata"]["uid"]
    made = {entry.get("resourceClaimName") for entry in found["status"].get("resourceClaimStatuses", [])}
    merged: dict[int, int] = {}
    for claim in stage["claims"]:
        users = claim.get("status", {}).get("reservedFor", [])
        # A claim of the pod's group is reserved for that.
        if claim["metadata"]["name"] in made or any(user["uid"] == uid for user in users):
            merged |= numbers[claim["metadata"]["name"]]
    return merged


def _renumbered(device: str, numbers: dict[int, int]) -> str:
    return _DEVICE.sub(lambda match: f"{match[1]}-{numbers[int(match[2])]}", device)


def _pod(pod: Object) -> Object:
    metadata = {
        key: pod["metadata"][key] for key in ("deletionTimestamp", "annotations") if key in pod["metadata"]
    }
    status = dict(pod["status"])
    status["conditions"] = sorted(status.get("conditions", []), key=lambda one: str(one["type"]))
    return {"metadata": metadata, "bound": bool(pod["spec"].get("nodeName")), "status": status}


def _claim(claim: Object, numbers: dict[int, int]) -> Object:
    metadata = {
        key: claim["metadata"][key]
        for key in ("annotations", "finalizers", "generateName", "ownerReferences")
        if key in claim["metadata"]
    }
    annotations = dict(metadata.get("annotations", {}))
    annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    status = dict(claim.get("status", {}))
    if "allocation" in status:
        results = [one | {"device": _renumbered(one["device"], numbers)} for one in _results(claim)]
        status["allocation"] = status["allocation"] | {
            "devices": status["allocation"]["devices"] | {"results": results}
        }
    if "devices" in status:
        status["devices"] = [
            one | {"device": _renumbered(one["device"], numbers)} for one in status["devices"]
        ]
    if "reservedFor" in status:
        status["reservedFor"] = sorted(status["reservedFor"], key=lambda user: str(user["name"]))
    return {"metadata": metadata, "spec": claim["spec"], "status": status}


def _event(event: Object) -> tuple[str, ...]:
    about = event["involvedObject"]
    source = event.get("source", {}).get("component") or event.get("reportingComponent", "")
    where = f"{about['kind']}/{about['name']} {about.get('fieldPath', '')}"
    return (event["type"], event["reason"], where, event["message"], source)


def _variables(variables: Mapping[str, str], numbers: dict[int, int], plain: Any) -> dict[str, str]:
    def key(name: str) -> str:
        return _VARIABLE.sub(lambda match: f"{match[1]}{numbers[int(match[2])]}", name)

    return {key(name): plain(_renumbered(value, numbers)) for name, value in variables.items()}


def _cleaned(value: Any, plain: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "<time>" if key in _TIMES and item else _cleaned(item, plain)
            for key, item in value.items()
            if key not in _OF_THE_RUNTIME
        }
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(item, plain) for item in value)
    return plain(value) if isinstance(value, str) else value


def double_use(claims: list[Object]) -> list[str]:
    """Devices in more than one claim that may not be shared; empty when all is well."""
    owners: dict[tuple[str, str], list[str]] = {}
    for claim in claims:
        for result in _results(claim):
            if not result.get("adminAccess") and not result.get("shareID"):
                owners.setdefault((result["pool"], result["device"]), []).append(claim["metadata"]["name"])
    return [f"{device} in {users}" for device, users in owners.items() if len(users) > 1]


def shares(claims: list[Object]) -> list[str]:
    return [result["shareID"] for claim in claims for result in _results(claim) if "shareID" in result]


def strays(pods: list[Object], claims: list[Object]) -> list[str]:
    """Pods that do not run where their devices are; empty when all is well."""
    node_of = {pod["metadata"]["uid"]: pod["spec"].get("nodeName") for pod in pods}
    return [
        f"{user['name']} and {result['pool']}"
        for claim in claims
        for result in _results(claim)
        for user in claim["status"].get("reservedFor", [])
        if node_of.get(user["uid"]) not in (None, result["pool"])
    ]
