"""What is filled into, and demanded of, every new Pod: its service account, its priority, its default tolerations.

Sources: kubernetes plugin/pkg/admission/{serviceaccount,priority,defaulttolerationseconds}, 1.36.
"""

import random

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, annotations_of, name_of
from dray.api.names import path_segment
from dray.api.resources import SERVICE_ACCOUNTS
from dray.apiserver.admission.priority_classes import priority_of
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.pod_references import MIRROR_ANNOTATION, secret_names

TOKEN_VOLUME = "kube-api-access-"
TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""An hour and some: that odd number lets servers tell a default token from one asked for."""
TOLERATION_SECONDS = 300
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class ServiceAccounts:
    """Every new pod runs as a service account and gets its token; pods that mirror a kubelet's own file get nothing."""

    def __init__(self, randomness: random.Random | None = None) -> None:
        self._random = randomness or random.Random()

    async def mutate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        pod = request.object
        if pod is None or request.operation != "CREATE":
            return
        if MIRROR_ANNOTATION in annotations_of(pod):
            _check_mirror_pod(pod)
        else:
            self._assign(request, pod)

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden: what others changed since must still fit."""
        pod = request.object
        if pod is None or request.operation != "CREATE":
            return
        if MIRROR_ANNOTATION in annotations_of(pod):
            _check_mirror_pod(pod)
        elif name := pod["spec"].get("serviceAccountName"):
            _account(request, pod, name)
        else:
            why = f"no service account specified for pod {request.call.namespace}/{name_of(pod)}"
            raise errors.forbidden("", "pods", display_name(pod), why)

    def _assign(self, request: AdmissionRequest, pod: Object) -> None:
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = _account(request, pod, name)
        automount = spec.get("automountServiceAccountToken")
        if automount is None:
            automount = account.get("automountServiceAccountToken", True)
        if automount:
            self._mount_token(spec)
        if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]

    def _mount_token(self, spec: Object) -> None:
        """Under the first volume named as if it were one of tokens, or a new one."""
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        lacking = [each for each in containers if not _mounts_token(each)]
        if not lacking:
            return
        names = (volume["name"] for volume in spec.get("volumes") or ())
        name = next((each for each in names if each.startswith(TOKEN_VOLUME)), "")
        if not name:
            name = TOKEN_VOLUME + "".join(self._random.choices(_SUFFIX_ALPHABET, k=5))
            spec["volumes"] = [*(spec.get("volumes") or ()), {"name": name, "projected": _token_sources()}]
        mount = {"name": name, "readOnly": True, "mountPath": TOKEN_MOUNT}
        for container in lacking:
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), dict(mount)]


def _account(request: AdmissionRequest, pod: Object, name: str) -> Object:
    """Raises Forbidden where there is none."""
    namespace = request.call.namespace
    if problems := path_segment(name):
        why = f"error looking up service account {namespace}/{name}: invalid resource name {quote(name)}: [{' '.join(problems)}]"
        raise errors.forbidden("", "pods", display_name(pod), why)
    found = request.call.find(SERVICE_ACCOUNTS, name, namespace)
    if found is None:
        missing = f"serviceaccount {quote(name)} not found"
        why = f"error looking up service account {namespace}/{name}: {missing}"
        raise errors.forbidden("", "pods", display_name(pod), why)
    return found


def _check_mirror_pod(pod: Object) -> None:
    spec, why = pod["spec"], ""
    projections = (
        source
        for volume in spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
    )
    if spec.get("serviceAccountName"):
        why = "a mirror pod may not reference service accounts"
    elif secret_names(pod):
        why = "a mirror pod may not reference secrets"
    elif any(source.get("serviceAccountToken") is not None for source in projections):
        why = "a mirror pod may not use ServiceAccountToken volume projections"
    if why:
        raise errors.forbidden("", "pods", display_name(pod), why)


class PodDefaults:
    """Mutates pods on CREATE; a pod keeps priority and default tolerations on UPDATE, even when a write leaves them out."""

    async def mutate(self, request: AdmissionRequest) -> None:
        pod = request.object
        if pod is not None and request.operation == "UPDATE":
            _keep_priority(pod, request.old or {})
            _default_tolerations(pod)
        if pod is None or request.operation != "CREATE":
            return
        _default_priority(request, pod)
        _default_tolerations(pod)

    async def validate(self, request: AdmissionRequest) -> None:
        return None


def _keep_priority(pod: Object, old: Object) -> None:
    for field in ("priority", "preemptionPolicy"):
        kept = (old.get("spec") or {}).get(field)
        if pod["spec"].get(field) is None and kept is not None:
            pod["spec"][field] = kept


def _mounts_token(container: Object) -> bool:
    return any(mount.get("mountPath") == TOKEN_MOUNT for mount in container.get("volumeMounts") or ())


def _token_sources() -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": 420,
    }


def _default_priority(request: AdmissionRequest, pod: Object) -> None:
    spec = pod["spec"]
    name, value, policy = priority_of(request, spec.get("priorityClassName") or "", pod)
    if name:
        spec["priorityClassName"] = name
    if spec.get("priority") is not None and spec["priority"] != value:
        why = f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; priority admission controller computed {value} from the given PriorityClass name"
        raise errors.forbidden("", "pods", display_name(pod), why)
    if spec.get("preemptionPolicy") is not None and spec["preemptionPolicy"] != policy:
        why = f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
        raise errors.forbidden("", "pods", display_name(pod), why)
    spec["priority"], spec["preemptionPolicy"] = value, policy


def _default_tolerations(pod: Object) -> None:
    tolerations = list(pod["spec"].get("tolerations") or ())
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_covers(each, key) for each in tolerations):
            added = {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": TOLERATION_SECONDS,
            }
            tolerations.append(added)
    pod["spec"]["tolerations"] = tolerations


def _covers(toleration: Object, key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")
