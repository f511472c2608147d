"""The page about the API server: the audit policy that it shows is one, and says what the page says of it."""

from blocks import blocks_of

from dray.apiserver.access import Attributes
from dray.apiserver.audit.policy import Level, Stage
from dray.apiserver.audit.policy_file import read_policy
from dray.apiserver.registry.kind import User

ALICE = User("alice")


def test_the_policy_tells_bodies_of_claims_and_not_of_secrets() -> None:
    (block,) = blocks_of("docs/api-server.md", "yaml")
    policy = read_policy(block.code.encode())
    secrets = Attributes(ALICE, "get", "", "v1", "secrets", "", "default", "s")
    tokens = Attributes(ALICE, "create", "", "v1", "serviceaccounts", "token", "default", "s")
    reviews = Attributes(ALICE, "create", "authentication.k8s.io", "v1", "tokenreviews")
    for asked in (secrets, tokens, reviews):
        assert policy.judge(asked).level is Level.METADATA
    claims = policy.judge(Attributes(ALICE, "create", "resource.k8s.io", "v1", "resourceclaims"))
    assert claims.level is Level.RESPONSE
    assert claims.without_managed_fields
    assert claims.omitted == {Stage.RECEIVED}
    assert policy.judge(Attributes(ALICE, "get", path="/readyz/store")).level is Level.NONE
