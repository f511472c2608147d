"""Gives every namespace its `default` ServiceAccount, and the ConfigMap with the cluster's root certificate.

Two loops, because either object may be deleted alone and must come back.
"""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, is_deleting, namespace_of
from dray.api.resources import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Resource
from dray.controllers.base import Context, Controller

ROOT_CA_NAME = "kube-root-ca.crt"
ROOT_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class _PerNamespace(Controller):
    """Keeps one object of a fixed name in every namespace that is not going away."""

    resource: ClassVar[Resource]
    object_name: ClassVar[str]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.watch(NAMESPACES)
        self.objects = self.informer(self.resource)
        self.objects.add_handler(on_update=lambda _, new: self._changed(new), on_delete=self._changed)

    def _changed(self, obj: Object) -> None:
        if obj["metadata"]["name"] == self.object_name:
            self.queue.add(ObjectKey("", namespace_of(obj)))

    def content(self) -> Object:
        raise NotImplementedError

    async def sync(self, key: ObjectKey) -> None:
        namespace = self.namespaces.cache.get(key)
        if namespace is None or is_deleting(namespace):
            return
        wanted = self.content()
        present = self.objects.cache.find(self.object_name, key.name)
        if present is None:
            await self._create(
                {**wanted, "metadata": {**wanted["metadata"], "namespace": key.name}}, key.name
            )
        elif any(present.get(field) != wanted[field] for field in wanted if field == "data"):
            await self.client.update(self.resource, {**present, "data": wanted["data"]})

    async def _create(self, obj: Object, namespace: str) -> None:
        try:
            created = await self.client.create(self.resource, obj, namespace)
        except (errors.AlreadyExists, errors.Forbidden):
            # Made by someone else, or the namespace began to go away: either way there is nothing left to do.
            return
        await self.objects.wait_seen(created)


class ServiceAccounts(_PerNamespace):
    name: ClassVar[str] = "service-account-controller"
    workers: ClassVar[int] = 2
    resource: ClassVar[Resource] = SERVICE_ACCOUNTS
    object_name: ClassVar[str] = "default"

    def content(self) -> Object:
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.object_name}}


class RootCertificates(_PerNamespace):
    name: ClassVar[str] = "root-ca-cert-publisher"
    workers: ClassVar[int] = 2
    resource: ClassVar[Resource] = CONFIG_MAPS
    object_name: ClassVar[str] = ROOT_CA_NAME

    def __init__(self, context: Context, root_ca_pem: str) -> None:
        self._root_ca_pem = root_ca_pem
        super().__init__(context)

    def content(self) -> Object:
        annotations = {"kubernetes.io/description": ROOT_CA_DESCRIPTION}
        meta = {"name": self.object_name, "annotations": annotations}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta,
            "data": {"ca.crt": self._root_ca_pem},
        }
