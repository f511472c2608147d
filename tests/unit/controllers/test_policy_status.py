"""The status of a policy says for which generation of it the types were looked at, and what they have against it."""

from dray.api.meta import Object
from dray.api.resources import VALIDATING_ADMISSION_POLICIES
from dray.controllers.policy_status import PolicyStatus
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle


def policy(expression: str, generation: int = 1) -> Object:
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["*"],
        "resources": ["deployments"],
    }
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": expression}]}
    meta = {"generation": generation}
    api_version = VALIDATING_ADMISSION_POLICIES.api_version
    return obj("ValidatingAdmissionPolicy", "p", api_version=api_version, metadata=meta, spec=spec)


def test_each_generation_is_looked_at() -> None:
    async def story() -> None:
        client = MemoryClient()
        await client.create(VALIDATING_ADMISSION_POLICIES, policy("object.spec.replicas > 1"))
        async with controllers(client, PolicyStatus):
            await settle()
            seen = await client.get(VALIDATING_ADMISSION_POLICIES, "p")
            assert seen["status"] == {"observedGeneration": 1, "typeChecking": {}}
            await client.update(
                VALIDATING_ADMISSION_POLICIES,
                {
                    **seen,
                    "spec": policy("object.spec.replica > 1")["spec"],
                    "metadata": {**seen["metadata"], "generation": 2},
                },
            )
            await settle()
            seen = await client.get(VALIDATING_ADMISSION_POLICIES, "p")
            assert seen["status"]["observedGeneration"] == 2
            (warning,) = seen["status"]["typeChecking"]["expressionWarnings"]
            assert warning["fieldRef"] == "spec.validations[0].expression"

    run(story())
