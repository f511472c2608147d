"""A write as policies and webhooks see it: in the version they ask for, with who asks and what else is known.

They may look at an object in any version it is served in (`matchPolicy: Equivalent`). Conversions are made once each.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import Object
from dray.api.resources import NAMESPACES
from dray.apiserver.core import AdmissionRequest
from dray.apiserver.registry.kind import Kind, User
from dray.apiserver.structure import from_hub, to_hub
from dray.apiserver.type_name import TypeName, type_name
from dray.apiserver.verbs.scale import SCALE, scale_of

OPTIONS_VERSION: Final = "meta.k8s.io/v1"
EXEMPT_GROUP: Final = "admissionregistration.k8s.io"
"""What is in this group is never judged by what is in it, or a bad rule could not be taken back."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One way to speak of the object: a resource in one version, and the type that its objects have there."""

    kind: Kind
    version: str
    type: TypeName

    @property
    def key(self) -> tuple[str, str, str]:
        return self.group, self.version, self.plural

    @property
    def group(self) -> str:
        return self.kind.resource.group

    @property
    def plural(self) -> str:
        return self.kind.resource.plural

    @property
    def resource(self) -> Object:
        """As a metav1.GroupVersionResource."""
        return {"group": self.group, "version": self.version, "resource": self.plural}

    @property
    def kind_reference(self) -> Object:
        """As a metav1.GroupVersionKind."""
        group, _, version = self.type.api_version.rpartition("/")
        return {"group": group, "version": version, "kind": self.type.kind}


class View:
    """One write in one phase of admission; not to be kept."""

    def __init__(self, request: AdmissionRequest) -> None:
        self.request = request
        call = request.call
        self.asked = self._form(call.kind, call.version)
        self._equivalents: tuple[Form, ...] | None = None
        self._objects: dict[tuple[bool, tuple[str, str, str]], Object | None] = {}

    def _form(self, kind: Kind, version: str) -> Form:
        if self.request.posted is not None:
            return Form(kind, version, self.request.posted)
        return Form(kind, version, SCALE if self.subresource == "scale" else type_name(kind, version))

    @property
    def is_exempt(self) -> bool:
        return self.asked.group == EXEMPT_GROUP

    @property
    def subresource(self) -> str:
        return self.request.call.subresource

    @property
    def is_namespace(self) -> bool:
        return self.request.call.stored == NAMESPACES

    @property
    def namespace(self) -> str:
        """Where the object is; a namespace is in itself."""
        return self.request.name if self.is_namespace else self.request.call.namespace

    @property
    def equivalents(self) -> tuple[Form, ...]:
        """The other versions, and the other groups, in which the same object is served."""
        if self._equivalents is None:
            self._equivalents = tuple(self._find_equivalents())
        return self._equivalents

    def _find_equivalents(self) -> list[Form]:
        call = self.request.call
        same = [kind for kind in call.core.kinds.kinds if kind.stored == call.stored]
        forms = [self._form(kind, version) for kind in same for version in kind.versions]
        return [form for form in forms if form.key != self.asked.key]

    def object(self, form: Form) -> Object | None:
        """What is written, shared; None for a DELETE."""
        return self._shown(self.request.object, form, is_old=False)

    def old(self, form: Form) -> Object | None:
        """What is stored, shared; None for a CREATE."""
        return self._shown(self.request.old, form, is_old=True)

    def _shown(self, obj: Object | None, form: Form, *, is_old: bool) -> Object | None:
        key = is_old, form.key
        if key not in self._objects:
            self._objects[key] = None if obj is None else self._convert(obj, form)
        return self._objects[key]

    def _convert(self, obj: Object, form: Form) -> Object:
        if self.request.posted is not None:
            return obj
        return scale_of(obj) if self.subresource == "scale" else from_hub(form.kind, obj, form.version)

    def replace(self, obj: Object, form: Form) -> None:
        """Write `obj`, which has the form, instead; it is taken over."""
        request = self.request
        if request.posted is not None:
            request.object = obj
        elif self.subresource == "scale":
            if request.object is not None:
                request.object["spec"]["replicas"] = (obj.get("spec") or {}).get("replicas") or 0
        else:
            request.object = to_hub(form.kind, obj, form.version)
        self._objects = {key: value for key, value in self._objects.items() if key[0]}

    def namespace_object(self) -> Object | None:
        """The namespace around the object, as stored; None where there is none."""
        if not self.namespace or self.is_namespace:
            return None
        return self.request.call.find(NAMESPACES, self.namespace)

    def admission_request(self, form: Form) -> Object:
        """The fields of an AdmissionRequest of admission.k8s.io/v1, but for its uid and the objects."""
        request, call, asked = self.request, self.request.call, self.asked
        fields: Object = {"kind": form.kind_reference, "resource": form.resource}
        optional = {"subResource": self.subresource}
        fields |= {key: value for key, value in optional.items() if value}
        fields |= {"requestKind": asked.kind_reference, "requestResource": asked.resource}
        optional = {
            "requestSubResource": self.subresource,
            "name": request.name,
            "namespace": self.namespace,
        }
        fields |= {key: value for key, value in optional.items() if value}
        return fields | {
            "operation": request.operation,
            "userInfo": user_info(call.user),
            "dryRun": call.dry_run,
            "options": self._options(),
        }

    def _options(self) -> Object | None:
        if self.request.operation == "CONNECT":
            return None
        if self.request.options is not None:
            return self.request.options
        options = self.request.call.options
        kind = "CreateOptions" if self.request.operation == "CREATE" else "UpdateOptions"
        found: Object = {"kind": kind, "apiVersion": OPTIONS_VERSION}
        if options.dry_run:
            found["dryRun"] = ["All"]
        found["fieldManager"] = options.field_manager
        found["fieldValidation"] = options.field_validation
        return found


def user_info(user: User) -> Object:
    """A UserInfo of authentication.k8s.io/v1."""
    extra: Mapping[str, Any] = {key: list(values) for key, values in user.extra.items()}
    fields = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": dict(extra)}
    return {key: value for key, value in fields.items() if value}
