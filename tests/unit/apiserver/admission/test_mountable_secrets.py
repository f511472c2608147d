"""Pods of an account that enforces its secrets are told what kube-apiserver 1.36.2 told them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import PODS, SERVICE_ACCOUNTS
from tests.unit.apiserver.admission.cluster import Cluster, new_cluster

ENFORCE = "kubernetes.io/enforce-mountable-secrets"
NOT = "is not allowed because service account a does not reference that"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with new_cluster() as made:
        yield made


async def account(cluster: Cluster, value: str) -> None:
    metadata = {"name": "a", "annotations": {ENFORCE: value}}
    obj = {"metadata": metadata, "secrets": [{"name": "ok"}], "imagePullSecrets": [{"name": "pull"}]}
    await cluster.client.create(SERVICE_ACCOUNTS, obj, "default")


def pod(container: Any = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i", **(container or {})}]
    return {"metadata": {"name": "p"}, "spec": {"serviceAccountName": "a", "containers": containers, **spec}}


def env(name: str) -> dict[str, Any]:
    return {"env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
            f'volume with secret.secretName="s" {NOT} secret',
        ),
        (pod(env("s")), f'container c with envVar E referencing secret.secretName="s" {NOT} secret'),
        (
            pod({"envFrom": [{"secretRef": {"name": "s"}}]}),
            f'container c with envFrom referencing secret.secretName="s" {NOT} secret',
        ),
        (
            pod(initContainers=[{"name": "i", "image": "i", **env("s")}]),
            f'init container i with envVar E referencing secret.secretName="s" {NOT} secret',
        ),
        (pod(imagePullSecrets=[{"name": "s"}]), f'imagePullSecrets[0].name="s" {NOT} imagePullSecret'),
    ],
)
async def test_other_secrets_are_refused(cluster: Cluster, given, why) -> None:
    await account(cluster, "true")
    with pytest.raises(errors.Forbidden) as refused:
        await cluster.client.create(PODS, given, "default")
    assert str(refused.value) == f'pods "p" is forbidden: {why}'


async def test_those_that_it_names_may_be_used(cluster: Cluster) -> None:
    await account(cluster, "true")
    volumes = [{"name": "v", "secret": {"secretName": "ok"}}]
    await cluster.client.create(
        PODS, pod(env("ok"), volumes=volumes, imagePullSecrets=[{"name": "pull"}]), "default"
    )


@pytest.mark.parametrize("value", ["false", "yes"])
async def test_account_that_does_not_enforce_limits_nothing(cluster: Cluster, value: str) -> None:
    await account(cluster, value)
    await cluster.client.create(PODS, pod(env("s")), "default")
