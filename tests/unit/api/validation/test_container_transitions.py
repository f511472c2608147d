"""Which containers may leave their end behind, in a write to a pod's status."""

from typing import Any

import pytest

from dray.api.meta import Object
from dray.api.validation.pod.status import validate_pod_status


def rule(action: str, *codes: int) -> Object:
    return {"action": action, "exitCodes": {"operator": "In", "values": list(codes)}}


def leaves_end(exit_code: int, *, policy: str = "Never", rules: tuple[Object, ...] = (), **own: Any) -> bool:
    container: Object = {"name": "main", **own, **({"restartPolicyRules": list(rules)} if rules else {})}
    pod: Object = {"metadata": {"name": "p"}, "spec": {"restartPolicy": policy, "containers": [container]}}
    ended = {"containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": exit_code}}}]}
    running = {"containerStatuses": [{"name": "main", "state": {"running": {}}}]}
    return not validate_pod_status({**pod, "status": running}, {**pod, "status": ended})


@pytest.mark.parametrize(
    ("policy", "code", "may"),
    [("Always", 0, True), ("OnFailure", 1, True), ("OnFailure", 0, False), ("Never", 1, False)],
)
def test_the_policy_decides(policy: str, code: int, may: bool) -> None:
    assert leaves_end(code, policy=policy) is may
    assert leaves_end(code, restartPolicy=policy) is may, "the container's own"


def test_rules_come_before_policies() -> None:
    rules = (rule("Restart", 42),)
    assert leaves_end(42, rules=rules, restartPolicy="Never")
    assert not leaves_end(43, rules=rules, restartPolicy="Never")


def test_where_the_whole_pod_may_begin_anew_every_container_may() -> None:
    assert leaves_end(137, rules=(rule("RestartAllContainers", 88),), restartPolicy="Never")
