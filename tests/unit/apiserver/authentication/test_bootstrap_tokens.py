"""Bootstrap tokens are worth what kube-apiserver 1.36 lets them be worth."""

import base64
from typing import Any

import pytest

from dray.api.resources import SECRETS
from dray.apiserver.authentication.bootstrap_tokens import BootstrapTokens
from dray.store.memory import MemoryStore

from ..serving import FixedClock

SECRET = "0123456789abcdef"


async def user_of(
    token: str = f"aaaaaa.{SECRET}", metadata: Any = None, kind: str = "", **data: str | None
) -> Any:
    whole = {
        "token-id": "aaaaaa",
        "token-secret": SECRET,
        "usage-bootstrap-authentication": "true",
        **{key.replace("_", "-"): value for key, value in data.items()},
    }
    encoded = {
        key: base64.b64encode(value.encode()).decode() for key, value in whole.items() if value is not None
    }
    name = "bootstrap-token-aaaaaa"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "kube-system", **(metadata or {})},
        "type": kind or "bootstrap.kubernetes.io/token",
        "data": encoded,
    }
    store = MemoryStore()
    await store.create(SECRETS.qualified, f"kube-system/{name}", secret)
    found = BootstrapTokens(store, FixedClock()).user_of(token)
    return None if found is None else (found.name, found.groups)


async def test_token_is_a_bootstrapper() -> None:
    assert await user_of() == ("system:bootstrap:aaaaaa", ("system:bootstrappers",))


async def test_further_groups_are_bootstrappers_too() -> None:
    named = "system:bootstrappers:kubeadm:default-node-token,system:bootstrappers:a"
    assert await user_of(auth_extra_groups=named) == (
        "system:bootstrap:aaaaaa",
        ("system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:kubeadm:default-node-token"),
    )


async def test_token_is_good_until_its_second() -> None:
    assert await user_of(expiration="2026-01-02T03:04:06Z") is not None
    assert await user_of(expiration="2026-01-02T03:04:05Z") is None


@pytest.mark.parametrize(
    "given",
    [
        {"token": "aaaaaa.0123456789abcdee"},
        {"token": "aaaaaa.x"},
        {"token": f"bbbbbb.{SECRET}"},
        {"token_id": "zzzzzz"},
        {"token_secret": None},
        {"usage_bootstrap_authentication": "false"},
        {"expiration": "some day"},
        {"auth_extra_groups": "system:masters"},
        {"auth_extra_groups": "system:bootstrappers:a, system:bootstrappers:b"},
        {"kind": "Opaque"},
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
)
async def test_anything_wrong_with_it_makes_it_worthless(given: dict[str, Any]) -> None:
    assert await user_of(**given) is None
