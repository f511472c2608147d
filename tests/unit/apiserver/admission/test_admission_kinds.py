"""The rules of policies, bindings and webhook configurations themselves, as whoever writes one is told of them."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from tests.unit.apiserver.admission.cluster import JANE, MAPS, Cluster, rule


async def causes(cluster: Cluster, resource: Any, name: str = "x", **body: Any) -> list[str]:
    """What is wrong with an object, each with its field."""
    refused = await cluster.refusal(
        lambda: cluster.client.create(resource, {"metadata": {"name": name}, **body})
    )
    assert isinstance(refused, errors.Invalid)
    return [f"{cause['field']}: {cause['message']}" for cause in (refused.details or {})["causes"]]


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "matchConstraints": {"resourceRules": [MAPS]},
        "validations": [rule("true")],
        **spec,
    }


async def wrong(cluster: Cluster, **spec: Any) -> list[str]:
    return await causes(cluster, VALIDATING_ADMISSION_POLICIES, spec=policy(**spec))


async def test_an_expression_that_does_not_compile_is_shown_with_its_place(cluster: Cluster) -> None:
    (found,) = await wrong(cluster, validations=[rule("true"), rule("object.x ==")])
    assert found.startswith(
        'spec.validations[1].expression: Invalid value: "object.x ==": compilation failed: '
        "ERROR: <input>:1:12: Syntax error: "
    )
    assert found.endswith("\n | object.x ==\n | ...........^")


@pytest.mark.parametrize(
    ("spec", "finding"),
    [
        (
            {"validations": [rule("1 + 1")]},
            'spec.validations[0].expression: Invalid value: "1 + 1": must evaluate to bool but got int',
        ),
        (
            {"validations": [rule("true", messageExpression="1")]},
            'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string but got int',
        ),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "true"}]},
            'spec.auditAnnotations[0].valueExpression: Invalid value: "true": '
            "must evaluate to one of [string null_type] but got bool",
        ),
        (
            {"matchConditions": [{"name": "n", "expression": "'x'"}]},
            "spec.matchConditions[0].expression: Invalid value: \"'x'\": must evaluate to bool but got string",
        ),
        ({"validations": [{"expression": " "}]}, "spec.validations[0].expression: Required value: expression is not specified"),
        ({"failurePolicy": "Maybe"}, 'spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"'),
        ({"matchConstraints": None}, "spec.matchConstraints: Required value"),
        ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules: Required value"),
        (
            {"validations": [rule("true", reason="Teapot")]},
            'spec.validations[0].reason: Unsupported value: "Teapot": '
            'supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
        ),
        (
            {"validations": [rule("true", message="a\nb")]},
            'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
        ),
        (
            {"variables": [{"name": "in", "expression": "1"}]},
            'spec.variables[0].name: Invalid value: "in": must be a valid CEL identifier',
        ),
        (
            {"paramKind": {"apiVersion": "a/b/c", "kind": "K"}},
            'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        ),
        (
            {"auditAnnotations": [{"key": "no spaces", "valueExpression": "'x'"}]},
            "spec.auditAnnotations[0].key: Invalid value: \"x/no spaces\": name part must consist of alphanumeric "
            "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
            "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_policy(cluster: Cluster, spec: Any, finding: str) -> None:
    assert await wrong(cluster, **spec) == [finding]


@pytest.mark.parametrize(
    ("rules", "finding"),
    [
        ({"operations": []}, "operations: Required value"),
        (
            {"operations": ["*", "CREATE"]},
            "operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations",
        ),
        (
            {"operations": ["READ"]},
            'operations[0]: Unsupported value: "READ": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
        ),
        (
            {"apiGroups": ["*", "apps"]},
            "apiGroups: Invalid value: [\"*\",\"apps\"]: if '*' is present, must not specify other API groups",
        ),
        (
            {"resources": ["pods/*", "pods/status"]},
            "resources[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status",
        ),
        (
            {"resources": ["*", "pods"]},
            "resources: Invalid value: [\"*\",\"pods\"]: if '*' is present, must not specify other resources without subresources",
        ),
        ({"scope": "Galaxy"}, 'scope: Unsupported value: "Galaxy": supported values: "*", "Cluster", "Namespaced"'),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_rule(cluster: Cluster, rules: Any, finding: str) -> None:
    found = await wrong(cluster, matchConstraints={"resourceRules": [{**MAPS, **rules}]})
    assert found == [f"spec.matchConstraints.resourceRules[0].{finding}"]


async def test_expressions_know_only_what_they_will_see(cluster: Cluster) -> None:
    async def undeclared(**spec: Any) -> str:
        (found,) = await wrong(cluster, **spec)
        return found.split("undeclared reference to ")[1].split(" ")[0]

    assert await undeclared(validations=[rule("params.x == 1")]) == "'params'"
    assert await undeclared(validations=[rule("variables.x == 1")]) == "'variables'"
    made = rule("true", messageExpression="authorizer.path('/').check('get').reason()")
    assert await undeclared(validations=[made]) == "'authorizer'"
    await cluster.policy(
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        variables=[{"name": "x", "expression": "params.x"}],
        validations=[rule("variables.x == 1 && authorizer.path('/').check('get').allowed()")],
    )


async def test_a_variable_is_known_with_its_type_to_those_after_it(cluster: Cluster) -> None:
    variables = [{"name": "one", "expression": "1"}, {"name": "text", "expression": "variables.one + 'x'"}]
    (found,) = await wrong(cluster, variables=variables)
    assert found.startswith("spec.variables[1].expression: ")
    assert "found no matching overload for '_+_' applied to '(int, string)'" in found
    (found,) = await wrong(cluster, variables=variables[:1], validations=[rule("variables.two == 1")])
    assert "undefined field 'two'" in found


async def test_a_request_has_the_fields_that_are_documented(cluster: Cluster) -> None:
    (found,) = await wrong(cluster, validations=[rule("request.user == 'x'")])
    assert "undefined field 'user'" in found


async def test_advice_must_say_what_and_where(cluster: Cluster) -> None:
    await cluster.policy(bind=False, validations=[rule("true")])
    status = {"typeChecking": {"expressionWarnings": [{"fieldRef": " ", "warning": ""}]}}
    refused = await cluster.refusal(
        lambda: cluster.client.patch(
            VALIDATING_ADMISSION_POLICIES, "p", {"status": status}, subresource="status"
        )
    )
    fields = [cause["field"] for cause in (refused.details or {})["causes"]]
    at = "status.typeChecking.expressionWarnings[0]"
    assert fields == [f"{at}.warning", f"{at}.fieldRef"]


@pytest.mark.parametrize(
    ("spec", "finding"),
    [
        ({"policyName": ""}, "spec.policyName: Required value"),
        ({"validationActions": []}, "spec.validationActions: Required value: at least one validation action is required"),
        (
            {"validationActions": ["Deny", "Warn"]},
            'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the '
            "same validation failure information in the API response and headers serves no purpose)",
        ),
        ({"validationActions": ["Audit", "Audit"]}, 'spec.validationActions[1]: Duplicate value: "Audit"'),
        (
            {"paramRef": {"parameterNotFoundAction": "Deny"}},
            "spec.paramRef: Required value: one of name or selector must be specified",
        ),
        ({"paramRef": {"name": "x"}}, "spec.paramRef.parameterNotFoundAction: Required value"),
        (
            {"paramRef": {"name": "x", "parameterNotFoundAction": "Shrug"}},
            'spec.paramRef.parameterNotFoundAction: Unsupported value: "Shrug": supported values: "Deny", "Allow"',
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_binding(cluster: Cluster, spec: Any, finding: str) -> None:
    whole = {"policyName": "p", "validationActions": ["Deny"], **spec}
    assert await causes(cluster, VALIDATING_ADMISSION_POLICY_BINDINGS, spec=whole) == [finding]


async def test_who_makes_a_policy_read_parameters_must_be_allowed_to(cluster: Cluster) -> None:
    writer = {
        "metadata": {"name": "policies"},
        "rules": [{"apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"], "verbs": ["*"]}],
    }
    await cluster.client.create(CLUSTER_ROLES, writer)
    await cluster.client.create(
        CLUSTER_ROLE_BINDINGS,
        {
            "metadata": {"name": "jane"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "policies"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
        },
    )
    jane = cluster.acting_as(JANE)
    kind = {"apiVersion": "v1", "kind": "Secret"}
    made = {"metadata": {"name": "p"}, "spec": policy(paramKind=kind)}
    refused = await cluster.refusal(lambda: jane.create(VALIDATING_ADMISSION_POLICIES, made))
    assert str(refused).endswith(
        'spec.paramKind: Forbidden: user &{jane  [devs system:authenticated] map[]} must have "get" permission on all '
        "objects of the referenced paramKind (kind=Secret, apiVersion=v1)"
    )
    await cluster.client.create(VALIDATING_ADMISSION_POLICIES, made)
    reference = {"name": "s", "namespace": "default", "parameterNotFoundAction": "Deny"}
    spec = {"policyName": "p", "validationActions": ["Deny"], "paramRef": reference}
    binding = {"metadata": {"name": "b"}, "spec": spec}
    refused = await cluster.refusal(lambda: jane.create(VALIDATING_ADMISSION_POLICY_BINDINGS, binding))
    assert str(refused).endswith('does not have "get" permission on the object referenced by paramRef')


def webhook(**changes: Any) -> dict[str, Any]:
    whole = {
        "name": "hook.example.com",
        "clientConfig": {"url": "https://localhost/review"},
        "rules": [MAPS],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


async def test_defaults_of_webhooks(cluster: Cluster) -> None:
    service = {"service": {"name": "s", "namespace": "n"}}
    body = {"metadata": {"name": "x"}, "webhooks": [webhook(clientConfig=service)]}
    stored = await cluster.client.create(MUTATING_WEBHOOK_CONFIGURATIONS, body)
    (hook,) = stored["webhooks"]
    assert hook["clientConfig"]["service"]["port"] == 443
    assert hook["rules"][0]["scope"] == "*"
    defaults = ("failurePolicy", "matchPolicy", "timeoutSeconds", "namespaceSelector", "reinvocationPolicy")
    assert [hook[field] for field in defaults] == ["Fail", "Equivalent", 10, {}, "Never"]
    assert stored["metadata"]["generation"] == 1
    stored = await cluster.client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, body)
    assert "reinvocationPolicy" not in stored["webhooks"][0]


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"name": "hook"}, 'name: Invalid value: "hook": should be a domain with at least three segments separated by dots'),
        ({"sideEffects": None}, "sideEffects: Required value: must specify one of None, NoneOnDryRun"),
        ({"sideEffects": "Some"}, 'sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'),
        ({"timeoutSeconds": 31}, "timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"),
        ({"admissionReviewVersions": None}, "admissionReviewVersions: Required value: must specify one of v1, v1beta1"),
        (
            {"admissionReviewVersions": ["v2"]},
            'admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
        ),
        ({"clientConfig": {}}, "clientConfig: Required value: exactly one of url or service is required"),
        (
            {"clientConfig": {"url": "http://localhost/"}},
            "clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: "
            "https://host[/path]",
        ),
        (
            {"clientConfig": {"service": {"name": "s", "namespace": "n", "path": "review"}}},
            "clientConfig.service.path: Invalid value: \"review\": must start with a '/'",
        ),
        (
            {"matchConditions": [{"name": "n", "expression": "params == null"}]},
            'matchConditions[0].expression: Invalid value: "params == null": compilation failed: ERROR: <input>:1:1: '
            "undeclared reference to 'params' (in container '')\n | params == null\n | ^",
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_webhook(cluster: Cluster, changes: Any, finding: str) -> None:
    found = await causes(cluster, VALIDATING_WEBHOOK_CONFIGURATIONS, webhooks=[webhook(**changes)])
    assert found == [f"webhooks[0].{finding}"]


async def test_webhooks_of_one_configuration_have_names_of_their_own(cluster: Cluster) -> None:
    found = await causes(cluster, VALIDATING_WEBHOOK_CONFIGURATIONS, webhooks=[webhook(), webhook()])
    assert found == ['webhooks[1].name: Duplicate value: "hook.example.com"']
