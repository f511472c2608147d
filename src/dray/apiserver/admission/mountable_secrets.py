"""Service accounts that say so limit the secrets of their pods to those that they name.

Source: kubernetes plugin/pkg/admission/serviceaccount, 1.36.
"""

from collections.abc import Iterator
from typing import Final

from dray.api import errors
from dray.api.meta import Object, annotations_of, name_of
from dray.api.resources import PODS, SERVICE_ACCOUNTS
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.pod_references import MIRROR_ANNOTATION
from dray.apiserver.registry.service_account import ENFORCE

_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_KINDS: Final = (("initContainers", "init container"), ("containers", "container"))
_EPHEMERAL: Final = (("ephemeralContainers", "ephemeral container"),)


class MountableSecrets:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden, where Kubernetes answers 500 for containers that are added to a pod."""
        pod, subresource = request.object, request.call.subresource
        is_new = request.operation == "CREATE" and not subresource
        if pod is None or not (is_new or subresource == "ephemeralcontainers"):
            return
        if MIRROR_ANNOTATION in annotations_of(pod):
            return
        account = request.call.find(
            SERVICE_ACCOUNTS, pod["spec"].get("serviceAccountName") or "", request.call.namespace
        )
        if account is None or annotations_of(account).get(ENFORCE) not in _TRUE:
            return
        found = _of_new_pod(pod, account) if is_new else _of_containers(pod, account, _EPHEMERAL)
        if why := next(found, ""):
            raise errors.forbidden("", PODS.plural, display_name(pod), why)


def _of_new_pod(pod: Object, account: Object) -> Iterator[str]:
    known = _names(account, "secrets")
    for volume in pod["spec"].get("volumes") or ():
        name = (volume.get("secret") or {}).get("secretName") if volume.get("secret") is not None else None
        if name is not None and name not in known:
            yield f'volume with secret.secretName="{name}" {_not_allowed(account)}'
    yield from _of_containers(pod, account, _KINDS)
    pulled = _names(account, "imagePullSecrets")
    for index, reference in enumerate(pod["spec"].get("imagePullSecrets") or ()):
        name = reference.get("name") or ""
        if name not in pulled:
            yield f'imagePullSecrets[{index}].name="{name}" {_not_allowed(account, "imagePullSecret")}'


def _of_containers(pod: Object, account: Object, kinds: tuple[tuple[str, str], ...]) -> Iterator[str]:
    known = _names(account, "secrets")
    for field, word in kinds:
        for container in pod["spec"].get(field) or ():
            for how, name in _secrets_of(container):
                if name not in known:
                    what = f'{word} {container["name"]} with {how} referencing secret.secretName="{name}"'
                    yield f"{what} {_not_allowed(account)}"


def _secrets_of(container: Object) -> Iterator[tuple[str, str]]:
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
        if reference is not None:
            yield f"envVar {variable['name']}", reference.get("name") or ""
    for source in container.get("envFrom") or ():
        if source.get("secretRef") is not None:
            yield "envFrom", source["secretRef"].get("name") or ""


def _names(account: Object, field: str) -> set[str]:
    return {each.get("name") or "" for each in account.get(field) or ()}


def _not_allowed(account: Object, what: str = "secret") -> str:
    return f"is not allowed because service account {name_of(account)} does not reference that {what}"
