"""Advice on the types of objects that a policy is about."""

from typing import Any

from dray.cel.admission.advice import MAX_KINDS, expression_warnings

KINDS = {
    ("", "configmaps"): "ConfigMap",
    ("apps", "deployments"): "Deployment",
    ("apps", "replicasets"): "ReplicaSet",
    ("resource.k8s.io", "resourceclaims"): "ResourceClaim",
}


def kind_of(group: str, version: str, plural: str) -> str:
    return KINDS.get((group, plural), "")


def rules(group: str, *plurals: str, versions: tuple[str, ...] = ("v1",)) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": list(versions),
        "operations": ["*"],
        "resources": list(plurals),
    }


def warnings(*expressions: str, rule: Any = None, **spec: Any) -> list[tuple[str, str]]:
    validations = [{"expression": text} for text in expressions]
    whole = {"matchConstraints": {"resourceRules": [rule or rules("apps", "deployments")]}, **spec}
    found = expression_warnings({"spec": {"validations": validations, **whole}}, kind_of)
    return [(each["fieldRef"], each["warning"]) for each in found]


def test_a_field_that_the_kind_does_not_have_is_named_with_its_place() -> None:
    assert warnings("object.spec.replicas < 5", "object.spec.replica < 5") == [
        (
            "spec.validations[1].expression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'\n"
            " | object.spec.replica < 5\n | ...........^\n",
        )
    ]


def test_a_value_of_another_type_is_found() -> None:
    ((_, text),) = warnings("object.spec.replicas == 'five'")
    assert "found no matching overload for '_==_' applied to '(int, string)'" in text


def test_every_kind_has_its_own_say() -> None:
    ((_, text),) = warnings(
        "object.spec.strategy.type == 'x'", rule=rules("apps", "deployments", "replicasets")
    )
    assert text.startswith("apps/v1, Kind=ReplicaSet: ERROR: ")
    assert "Deployment" not in text


def test_every_version_has_its_own_say() -> None:
    rule = rules("resource.k8s.io", "resourceclaims", versions=("v1", "v1beta1"))
    ((_, text),) = warnings("object.spec.devices.requests[0].exactly.count == 1", rule=rule)
    assert text.startswith("resource.k8s.io/v1beta1, Kind=ResourceClaim: ")


def test_wildcards_and_unknown_resources_give_no_advice() -> None:
    for rule in (rules("*", "deployments"), rules("apps", "*"), rules("example.com", "widgets")):
        assert warnings("object.nonsense", rule=rule) == []


def test_variables_pass_types_on() -> None:
    variables = [
        {"name": "spec", "expression": "object.spec"},
        {"name": "n", "expression": "object.spec.replicas"},
    ]
    ((_, text),) = warnings("variables.n == ''", variables=variables)
    assert "'(int, string)'" in text


def test_parameters_and_messages_are_looked_at() -> None:
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "params.data.x == 'y'", "messageExpression": "params.dat.x"}],
    }
    ((place, text),) = warnings(**spec)
    assert place == "spec.validations[0].messageExpression"
    assert "undefined field 'dat'" in text


def test_what_may_be_anything_gets_no_advice() -> None:
    rule = rules("resource.k8s.io", "resourceclaims")
    config = "object.spec.devices.config[0].opaque.parameters"
    assert warnings(f"{config}.sharing.strategy == 'x'", rule=rule) == []


def test_no_more_than_so_many_kinds_are_looked_at() -> None:
    many = tuple(f"v{number}" for number in range(1, 30))
    rule = rules("apps", "deployments", versions=many)
    ((_, text),) = warnings("1 == ''", rule=rule)
    assert text.count("Kind=Deployment") == MAX_KINDS
