"""ValidatingAdmissionPolicy in force: what is refused and in which words, what only warns, what is noted."""

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import (
    CONFIG_MAPS,
    PODS,
    RESOURCE_CLAIMS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from dray.apiserver.admission.chain import AdmissionChain
from dray.apiserver.admission.policies import evaluation
from dray.apiserver.admission.policies.policy import Policy, Verdict
from dray.apiserver.core import Call
from dray.apiserver.verbs.connect import admit_connection
from dray.client.protocol import PatchType
from tests.unit.apiserver.admission.cluster import (
    ALL_WRITES,
    JANE,
    MAPS,
    NEVER,
    Cluster,
    claim,
    denied,
    judged,
    rule,
)


async def test_a_refusal_names_policy_and_binding_and_is_a_422(cluster: Cluster) -> None:
    await cluster.policy(validations=[rule("size(object.data) < 2", message="one entry only")])
    await cluster.write("one", {"a": "1"})
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "1", "b": "2"}))
    assert refused.status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": denied("one entry only"),
        "reason": "Invalid",
        "details": {
            "name": "m",
            "kind": "configmaps",
            "causes": [
                {"message": "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: one entry only"}
            ],
        },
        "code": 422,
    }


@pytest.mark.parametrize(
    ("reason", "code"), [("Forbidden", 403), ("RequestEntityTooLarge", 413), ("Invalid", 422)]
)
async def test_a_rule_chooses_the_reason_and_with_it_the_code(
    cluster: Cluster, reason: str, code: int
) -> None:
    await cluster.policy(validations=[rule("false", reason=reason)])
    refused = await cluster.refusal(cluster.write)
    assert (refused.status_reason, refused.status_code) == (reason, code)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (rule(" false "), "failed expression: false"),
        (rule("false", message=" no "), "no"),
        (rule("false", message="no", messageExpression="'not ' + object.metadata.name"), "not m"),
        (rule("false", message="no", messageExpression="string(object.data.nope)"), "no"),
        (rule("false", message="no", messageExpression="'  '"), "no"),
        (rule("false", message="no", messageExpression="'a\\nb'"), "no"),
        (rule("false", message="no", messageExpression="[1,2,3].map(x, 'abcdefgh').join()"), "abcdefgh" * 3),
    ],
)
async def test_where_the_message_comes_from(cluster: Cluster, validation: Any, message: str) -> None:
    await cluster.policy(validations=[validation])
    assert str(await cluster.refusal(cluster.write)) == denied(message)


async def test_the_first_refusal_is_told_and_all_rules_are_asked(cluster: Cluster) -> None:
    await cluster.policy(validations=[rule("true"), rule("1 > 2", message="second"), rule("false")])
    assert str(await cluster.refusal(cluster.write)) == denied("second")


async def test_what_cannot_be_evaluated_is_refused_unless_failures_are_ignored(cluster: Cluster) -> None:
    rules = [rule("object.data.absent == 'x'")]
    await cluster.policy(validations=rules)
    fault = "expression 'object.data.absent == 'x'' resulted in error: no such key: absent"
    assert str(await cluster.refusal(lambda: cluster.write(data={"a": "b"}))) == denied(fault)
    policy = dict(await cluster.client.get(VALIDATING_ADMISSION_POLICIES, "p"))
    policy["spec"] = {**policy["spec"], "failurePolicy": "Ignore"}
    await cluster.client.update(VALIDATING_ADMISSION_POLICIES, policy)
    await cluster.write(data={"a": "b"})


async def test_a_policy_without_a_binding_does_nothing(cluster: Cluster) -> None:
    await cluster.policy(bind=False, validations=NEVER)
    await cluster.write()
    await cluster.bind("p")
    await cluster.refusal(lambda: cluster.write("other"))
    await cluster.client.delete(VALIDATING_ADMISSION_POLICY_BINDINGS, "b")
    await cluster.write("other")


async def test_a_changed_policy_holds_from_the_next_write(cluster: Cluster) -> None:
    await cluster.policy(validations=NEVER)
    patch = {"spec": {"validations": [rule("true")]}}
    await cluster.client.patch(VALIDATING_ADMISSION_POLICIES, "p", patch)
    await cluster.write()


async def test_policies_cannot_keep_policies_from_being_taken_back(cluster: Cluster) -> None:
    await cluster.policy(match={"resourceRules": [ALL_WRITES]}, validations=NEVER)
    await cluster.client.delete(VALIDATING_ADMISSION_POLICIES, "p")
    await cluster.write()


async def test_variables_are_evaluated_when_used_and_may_use_each_other(cluster: Cluster) -> None:
    variables = [
        {"name": "broken", "expression": "object.data.absent"},
        {"name": "count", "expression": "size(object.data)"},
        {"name": "twice", "expression": "variables.count * 2"},
    ]
    await cluster.policy(
        variables=variables,
        validations=[rule("variables.twice == 2", messageExpression="'twice is ' + string(variables.twice)")],
    )
    await cluster.write("one", {"a": "1"})
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "1", "b": "2"}))
    assert str(refused) == denied("twice is 4")


async def test_a_variable_that_fails_fails_who_uses_it(cluster: Cluster) -> None:
    await cluster.policy(
        variables=[{"name": "broken", "expression": "object.data.absent"}],
        validations=[rule("variables.broken == 'x'")],
    )
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "1"}))
    why = 'composited variable "broken" fails to evaluate: no such key: absent'
    assert str(refused) == denied(f"expression 'variables.broken == 'x'' resulted in error: {why}")


async def test_what_the_expressions_of_an_update_see(cluster: Cluster) -> None:
    await cluster.write(data={"a": "1"})
    seen = " + ' ' + ".join(
        [
            "request.operation",
            "request.resource.resource",
            "request.name",
            "request.namespace",
            "string(request.dryRun)",
            "request.userInfo.username",
            "string('system:masters' in request.userInfo.groups)",
            "request.options.kind",
            "oldObject.data.a",
            "object.data.a",
            "object.kind",
            "namespaceObject.metadata.labels.team",
            "string(namespaceObject.metadata.creationTimestamp > timestamp('2020-01-01T00:00:00Z'))",
            "string(has(request.subResource))",
        ]
    )
    await cluster.policy(validations=[rule("false", messageExpression=seen)])
    patch = {"data": {"a": "2"}}
    refused = await cluster.refusal(lambda: cluster.client.patch(CONFIG_MAPS, "m", patch, "default"))
    assert str(refused) == denied(
        "UPDATE configmaps m default false system:admin true UpdateOptions 1 2 ConfigMap a true false"
    )


async def test_a_deletion_has_only_an_old_object(cluster: Cluster) -> None:
    await cluster.write(data={"keep": "yes"})
    await cluster.policy(
        match={"resourceRules": [{**MAPS, "operations": ["DELETE"]}]},
        validations=[rule("object != null || oldObject.data.keep != 'yes'", message="keep it")],
    )
    refused = await cluster.refusal(lambda: cluster.client.delete(CONFIG_MAPS, "m", "default"))
    assert str(refused) == denied("keep it")


async def test_the_status_of_an_object_is_a_resource_of_its_own(cluster: Cluster) -> None:
    claims = {
        "apiGroups": ["resource.k8s.io"],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["resourceclaims/status"],
    }
    await cluster.policy(match={"resourceRules": [claims]}, validations=NEVER)
    made = await cluster.client.create(RESOURCE_CLAIMS, claim(), "default")
    changed = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    changed = await cluster.client.update(RESOURCE_CLAIMS, changed)
    await cluster.refusal(lambda: cluster.client.update(RESOURCE_CLAIMS, changed, subresource="status"))


def _params(**settings: Any) -> dict[str, Any]:
    return {"paramRef": {"parameterNotFoundAction": "Deny", **settings}}


PARAM_KIND = {"apiVersion": "v1", "kind": "ConfigMap"}
LIMIT = {
    "paramKind": PARAM_KIND,
    "matchConditions": [{"name": "not-a-limit", "expression": "!has(object.metadata.labels)"}],
    "validations": [
        rule("size(object.data) <= int(params.data.most)", messageExpression="'most: ' + params.data.most")
    ],
}


async def test_parameters_are_read_by_name(cluster: Cluster) -> None:
    await cluster.write("limit", {"most": "1"}, labels={"limit": "yes"})
    await cluster.policy(bind=_params(name="limit"), **LIMIT)
    await cluster.write("one", {"a": "1"})
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "1", "b": "2"}))
    assert str(refused) == denied("most: 1")


async def test_every_selected_parameter_must_be_content(cluster: Cluster) -> None:
    await cluster.write("wide", {"most": "5"}, labels={"limit": "yes"})
    await cluster.write("tight", {"most": "1"}, labels={"limit": "yes"})
    await cluster.policy(bind=_params(selector={"matchLabels": {"limit": "yes"}}), **LIMIT)
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "1", "b": "2"}))
    assert str(refused) == denied("most: 1")


@pytest.mark.parametrize("action", ["Allow", "Deny"])
async def test_what_follows_when_there_is_no_parameter(cluster: Cluster, action: str) -> None:
    reference = {"paramRef": {"name": "absent", "parameterNotFoundAction": action}}
    await cluster.policy(bind=reference, **LIMIT)
    if action == "Allow":
        await cluster.write()
        return
    why = "no params found for policy binding with `Deny` parameterNotFoundAction"
    assert str(await cluster.refusal(cluster.write)) == denied(f"failed to configure binding: {why}")


async def test_a_parameter_kind_that_is_not_served_fails_the_policy(cluster: Cluster) -> None:
    kind = {"apiVersion": "example.com/v1", "kind": "Limit"}
    await cluster.policy(bind=_params(name="x"), **{**LIMIT, "paramKind": kind})
    refused = await cluster.refusal(cluster.write)
    assert str(refused) == (
        "configmaps \"m\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: "
        "failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'"
    )


async def test_a_binding_may_only_warn(cluster: Cluster) -> None:
    await cluster.policy(bind={"validationActions": ["Warn"]}, validations=[rule("false", message="no")])
    warning = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no"
    assert (await judged(cluster)).warnings == [warning]


async def test_a_binding_may_only_note_it_for_the_audit_log(cluster: Cluster) -> None:
    rules = [rule("true"), rule("false", message="no")]
    await cluster.policy(bind={"validationActions": ["Audit"]}, validations=rules)
    ((key, value),) = (await judged(cluster)).annotations.items()
    assert key == "validation.policy.admission.k8s.io/validation_failure"
    assert json.loads(value) == [
        {
            "message": "no",
            "policy": "p",
            "binding": "b",
            "expressionIndex": 1,
            "validationActions": ["Audit"],
        }
    ]


async def test_annotations_tell_the_audit_log_what_a_policy_saw(cluster: Cluster) -> None:
    annotations = [
        {"key": "who", "valueExpression": "'by ' + request.userInfo.username"},
        {"key": "nothing", "valueExpression": "null"},
    ]
    await cluster.policy(auditAnnotations=annotations)
    assert (await judged(cluster)).annotations == {"p/who": "by jane"}


async def test_the_authorizer_answers_for_the_writer_and_for_others(cluster: Cluster) -> None:
    secrets = "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()"
    await cluster.policy(validations=[rule(secrets, message="not yours")])
    await cluster.write()  # by a master
    with pytest.raises(errors.StatusError, match="not yours"):
        await judged(cluster)
    account = (
        "authorizer.serviceAccount('kube-system', 'x').group('').resource('pods').check('get').allowed()"
    )
    patch = {"spec": {"validations": [rule(account, message="not its")]}}
    await cluster.client.patch(VALIDATING_ADMISSION_POLICIES, "p", patch)
    with pytest.raises(errors.StatusError, match="not its"):
        await judged(cluster)


async def test_request_resource_is_what_is_written(cluster: Cluster) -> None:
    await cluster.policy(
        validations=[rule("authorizer.requestResource.check('custom').reason() == ''", message="no")]
    )
    await judged(cluster)


LISTS = ", ".join("1" for _ in range(60))
COSTLY = f"[{LISTS}].all(x, [{LISTS}].all(y, x + y > 0))"


async def test_a_costly_rule_is_evaluated_beside_the_event_loop(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.get_ident()
    threads: list[int] = []
    judge = Policy.judge

    def noted(policy: Policy, values: Mapping[str, Any], meter: evaluation.Meter) -> Verdict:
        threads.append(threading.get_ident())
        return judge(policy, values, meter)

    monkeypatch.setattr(Policy, "judge", noted)
    await cluster.policy(validations=[rule(f"{COSTLY} && !authorizer.path('/x').check('get').errored()")])
    await cluster.write()
    at_once, aside = threads
    assert at_once == here != aside


async def test_a_rule_may_not_cost_more_than_its_limit(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "COST_LIMIT", 15_000)
    await cluster.policy(validations=[rule(COSTLY)])
    refused = await cluster.refusal(cluster.write)
    assert str(refused).endswith("resulted in error: operation cancelled: actual cost limit exceeded")


async def test_the_rules_of_a_policy_share_a_budget(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dray.apiserver.admission.policies.policy.BUDGET", 40_000)
    await cluster.policy(validations=[rule(COSTLY)])
    await cluster.write()
    await cluster.client.patch(
        VALIDATING_ADMISSION_POLICIES, "p", {"spec": {"validations": [rule(COSTLY)] * 2}}
    )
    refused = await cluster.refusal(lambda: cluster.write("other"))
    assert str(refused) == denied(evaluation.OUT_OF_BUDGET, "other")


async def test_an_eviction_and_a_connection_are_writes_too(cluster: Cluster) -> None:
    pods = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "CONNECT"],
        "resources": ["pods/eviction", "pods/exec"],
    }
    message = "request.operation + ' ' + object.kind + ' ' + request.subResource"
    await cluster.policy(
        match={"resourceRules": [pods]}, validations=[rule("false", messageExpression=message)]
    )
    eviction = {"metadata": {"name": "x"}}
    refused = await cluster.refusal(
        lambda: cluster.client.create(PODS, eviction, "default", name="x", subresource="eviction")
    )
    assert str(refused).endswith("denied request: CREATE Eviction eviction")
    kind = cluster.server.core.kind_of(PODS)
    call = Call(cluster.server.core, JANE, "create", kind, "v1", "default", "x", "exec")
    refused = await cluster.refusal(lambda: admit_connection(call, {"command": ["sh"], "tty": ["true"]}))
    assert str(refused).endswith("denied request: CONNECT PodExecOptions exec")


async def test_applied_objects_are_judged_like_others(cluster: Cluster) -> None:
    await cluster.policy(validations=[rule("!has(object.data)", message="empty only")])
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
    refused = await cluster.refusal(
        lambda: cluster.client.patch(CONFIG_MAPS, "m", config, "default", patch_type=PatchType.APPLY)
    )
    assert str(refused) == denied("empty only")


async def test_a_policy_from_before_the_rules_for_policies_fails_alone(cluster: Cluster) -> None:
    await cluster.policy(validations=NEVER)
    store, resource = cluster.server.core.store, VALIDATING_ADMISSION_POLICIES.qualified
    record = store.get(resource, "p")
    assert record is not None
    holes = {**record.obj["spec"], "validations": [{}], "variables": [{}], "auditAnnotations": [{}]}
    meta = {**record.obj["metadata"], "generation": 2}
    await store.update(resource, "p", {**record.obj, "metadata": meta, "spec": holes}, record.revision)
    refused = await cluster.refusal(cluster.write)
    assert "denied request: compilation error: " in str(refused)


async def test_a_policy_is_compiled_once_for_each_of_its_generations(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []
    compile_policy = Policy.compile

    def counted(obj: Object) -> Policy:
        compiled.append(obj["metadata"]["generation"])
        return compile_policy(obj)

    monkeypatch.setattr(Policy, "compile", counted)
    await cluster.policy(validations=[rule("true")])
    for name in ("a", "b"):
        await cluster.write(name)
    labels = {"metadata": {"labels": {"seen": "yes"}}}
    await cluster.client.patch(VALIDATING_ADMISSION_POLICIES, "p", labels)
    await cluster.write("c")
    assert compiled == [1]
    await cluster.client.patch(VALIDATING_ADMISSION_POLICIES, "p", {"spec": {"failurePolicy": "Ignore"}})
    await cluster.write("d")
    assert compiled == [1, 2]


async def test_no_policy_costs_no_view_of_the_write(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dray.apiserver.admission.policies import plugin
    from dray.apiserver.admission.webhooks import mutating, validating

    for module in (plugin, mutating, validating):
        monkeypatch.setattr(module, "View", None)
    assert isinstance(cluster.server.core.admission, AdmissionChain)
    await cluster.write()
