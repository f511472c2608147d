"""What is filled into, and kept off, volumes, their claims and classes; and the class of ingresses.

Sources: kubernetes plugin/pkg/admission/{storage,network/defaultingressclass}, 1.36.
"""

from typing import Final

from dray.api import errors
from dray.api.meta import Object, annotations_of, finalizers_of, name_of
from dray.api.quantity import Quantity, parse_quantity
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, Resource
from dray.api.validation.core.volume_claim import CLASS_ANNOTATION
from dray.api.volumes import PROTECTION
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.registry.ingress import INGRESS_CLASSES
from dray.apiserver.registry.storage import STORAGE_CLASSES

_DEFAULT_CLASS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_DEFAULT_INGRESS_CLASS: Final = ("ingressclass.kubernetes.io/is-default-class",)
_INGRESS_CLASS: Final = "kubernetes.io/ingress.class"


class InUseProtection:
    """What is used cannot go."""

    async def mutate(self, request: AdmissionRequest) -> None:
        obj = request.object
        if obj is None or request.operation != "CREATE":
            return
        finalizer = PROTECTION[request.call.kind.resource]
        if finalizer not in finalizers_of(obj):
            obj["metadata"]["finalizers"] = [*finalizers_of(obj), finalizer]

    async def validate(self, request: AdmissionRequest) -> None:
        return None


class ClaimClasses:
    """A volume claim that names no storage class gets the default one; only a class that allows it lets claims grow."""

    async def mutate(self, request: AdmissionRequest) -> None:
        claim = request.object
        if claim is None or request.operation != "CREATE":
            return
        if claim["spec"].get("storageClassName") is not None or CLASS_ANNOTATION in annotations_of(claim):
            return
        if name := _newest_default(request, STORAGE_CLASSES, _DEFAULT_CLASS):
            claim["spec"]["storageClassName"] = name

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        claim, old = request.object, request.old
        if claim is None or old is None or _size(claim) <= _size(old):
            return
        why = ""
        if (old.get("status") or {}).get("phase") != "Bound":
            why = "Only bound persistent volume claims can be expanded"
        elif not _may_grow(request, claim, old):
            why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
        if why:
            raise errors.forbidden("", PERSISTENT_VOLUME_CLAIMS.plural, display_name(claim), why)


def _size(claim: Object) -> Quantity:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return parse_quantity(requests.get("storage") or "0")


def _may_grow(request: AdmissionRequest, claim: Object, old: Object) -> bool:
    name = _class_of(claim)
    if not name or name != _class_of(old):
        return False
    return bool((request.call.find(STORAGE_CLASSES, name) or {}).get("allowVolumeExpansion"))


def _class_of(claim: Object) -> str:
    named = annotations_of(claim).get(CLASS_ANNOTATION)
    return str(named if named is not None else (claim.get("spec") or {}).get("storageClassName") or "")


class IngressClasses:
    """An ingress that names no class gets the default one."""

    async def mutate(self, request: AdmissionRequest) -> None:
        ingress = request.object
        if ingress is None or request.operation != "CREATE" or _INGRESS_CLASS in annotations_of(ingress):
            return
        if ingress["spec"].get("ingressClassName") is not None:
            return
        if name := _newest_default(request, INGRESS_CLASSES, _DEFAULT_INGRESS_CLASS):
            ingress["spec"]["ingressClassName"] = name

    async def validate(self, request: AdmissionRequest) -> None:
        return None


def _newest_default(request: AdmissionRequest, resource: Resource, annotations: tuple[str, ...]) -> str:
    """Of several defaults the one made last, of those made in the same second the first by name; "" for none."""
    classes = [record.obj for record in request.call.core.store.page(resource.qualified, "").records]
    marked = [each for each in classes if any(annotations_of(each).get(key) == "true" for key in annotations)]
    if not marked:
        return ""
    newest = max(each["metadata"]["creationTimestamp"] for each in marked)
    return min(name_of(each) for each in marked if each["metadata"]["creationTimestamp"] == newest)
