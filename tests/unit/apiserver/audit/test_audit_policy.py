"""A policy says of each request how much is told of it: the first rule that fits decides."""

import pathlib

import pytest

from dray.apiserver.access import Attributes
from dray.apiserver.audit.policy import Level, Stage
from dray.apiserver.audit.policy_file import PolicyError, load_policy, read_policy
from dray.apiserver.registry.kind import User

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
ALICE = User("alice", ("devs", "system:authenticated"))
STAGES = "allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
UNTYPED = (
    "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type "
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)


def one_rule(rule: str) -> str:
    return f"{HEAD}rules:\n- level: Metadata\n  {rule}\n"


def asked(
    path: str, verb: str = "get", user: User = ALICE, name: str = "", namespace: str = ""
) -> Attributes:
    """`path`: of no resource, or GROUP:RESOURCE/SUBRESOURCE."""
    if path.startswith("/"):
        return Attributes(user, verb, path=path)
    group, _, rest = path.partition(":")
    resource, _, subresource = rest.partition("/")
    return Attributes(user, verb, group, "v1", resource, subresource, namespace, name)


@pytest.mark.parametrize(
    ("rule", "request_", "fits"),
    [
        ("users: [alice]", asked(":pods"), True),
        ("users: [bob]", asked(":pods"), False),
        ("users: ['']", asked(":pods", user=User("")), False),
        ("userGroups: [devs]", asked("/healthz"), True),
        ("userGroups: [ops]", asked("/healthz"), False),
        ("verbs: [list, watch]", asked(":pods", "watch"), True),
        ("verbs: [list, watch]", asked(":pods", "get"), False),
        ("namespaces: [a]", asked(":pods", namespace="a"), True),
        ("namespaces: [a]", asked(":pods", namespace="b"), False),
        ("namespaces: ['']", asked(":nodes"), True),
        ("namespaces: ['']", asked("/version"), False),
        ("resources: [{group: ''}]", asked(":pods/log"), True),
        ("resources: [{group: ''}]", asked("apps:deployments"), False),
        ("resources: [{group: '*', resources: [deployments]}]", asked("apps:deployments"), True),
        ("resources: [{group: '', resources: [pods]}]", asked(":pods"), True),
        ("resources: [{group: '', resources: [pods]}]", asked(":pods/log"), False),
        ("resources: [{group: '', resources: [pods/log]}]", asked(":pods/log"), True),
        ("resources: [{group: '', resources: [pods/log]}]", asked(":pods"), False),
        ("resources: [{group: '', resources: [pods/*]}]", asked(":pods/exec"), True),
        ("resources: [{group: '', resources: [pods/*]}]", asked(":pods"), True),
        ("resources: [{group: '', resources: [pods/*]}]", asked(":podtemplates"), False),
        ("resources: [{group: '*', resources: ['*/scale']}]", asked("apps:deployments/scale"), True),
        ("resources: [{group: '*', resources: ['*/scale']}]", asked("apps:deployments"), False),
        ("resources: [{group: '', resources: ['*']}]", asked(":pods/log"), True),
        ("resources: [{group: '', resources: [pods], resourceNames: [p]}]", asked(":pods", name="p"), True),
        ("resources: [{group: '', resources: [pods], resourceNames: [p]}]", asked(":pods", name="q"), False),
        ("resources: [{group: ''}]", asked("/api"), False),
        ("nonResourceURLs: ['/healthz*']", asked("/healthz/ping"), True),
        ("nonResourceURLs: ['/healthz']", asked("/healthz/ping"), False),
        ("nonResourceURLs: ['*']", asked("/version"), True),
        ("nonResourceURLs: ['*']", asked(":pods"), False),
        ("users: []", asked(":pods"), True),
    ],
)
def test_a_rule_fits_what_it_names(rule: str, request_: Attributes, fits: bool) -> None:
    told = read_policy(one_rule(rule).encode()).judge(request_)
    assert told.level is (Level.METADATA if fits else Level.NONE)


def test_the_first_rule_that_fits_decides() -> None:
    policy = read_policy(
        f"{HEAD}rules:\n- level: None\n  verbs: [get]\n- level: RequestResponse\n- level: Metadata\n".encode()
    )
    assert policy.judge(asked(":pods", "get")).level is Level.NONE
    assert policy.judge(asked(":pods", "list")).level is Level.RESPONSE


def test_stages_are_left_out_by_the_policy_and_by_the_rule_and_managed_fields_as_the_rule_says() -> None:
    policy = read_policy(
        (
            f"{HEAD}omitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n"
            "- level: Request\n  verbs: [get]\n  omitStages: [Panic]\n  omitManagedFields: false\n"
            "- level: Request\n"
        ).encode()
    )
    first, second = policy.judge(asked(":pods")), policy.judge(asked(":pods", "list"))
    assert first.omitted == {Stage.RECEIVED, Stage.PANIC}
    assert not first.without_managed_fields
    assert second.omitted == {Stage.RECEIVED}
    assert second.without_managed_fields


def test_a_policy_may_be_json() -> None:
    text = b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Request"}]}'
    assert read_policy(text).judge(asked(":pods")).level is Level.REQUEST


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: audit.k8s.io/v1\nrules:\n- level: None\n",
        one_rule("nope: 1"),
        one_rule("level: Metadata"),
        f"{HEAD}rules:\n- Level: None\n  level: Metadata\n",
    ],
)
def test_unknown_and_repeated_fields_and_a_missing_kind_are_overlooked(text: str) -> None:
    assert len(read_policy(text.encode()).rules) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unknown group version field audit.k8s.io/__internal, Kind=Policy in policy"),
        (
            "rules:\n- level: None\n",
            "unknown group version field audit.k8s.io/__internal, Kind=Policy in policy",
        ),
        (
            HEAD.replace("v1", "v1beta1"),
            'failed decoding: no kind "Policy" is registered for version "audit.k8s.io/v1beta1" in scheme '
            '"pkg/runtime/scheme.go:111"',
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\n",
            'failed decoding: no kind "ConfigMap" is registered for version "v1" in scheme '
            '"pkg/runtime/scheme.go:111"',
        ),
        (
            HEAD.replace("Policy", "Event"),
            "failed decoding: converting (v1.Event) to (audit.Policy): unknown conversion",
        ),
        ("- a\n", f"failed decoding: {UNTYPED}"),
        ("a: [\n", "failed decoding: yaml: line 1: did not find expected node content"),
        (
            '{"a":',
            "failed decoding: couldn't get version/kind; json parse error: unexpected end of JSON input",
        ),
        (HEAD, "loaded illegal policy with 0 rules"),
        (f"{HEAD}rules: []\n", "loaded illegal policy with 0 rules"),
        (
            f"{HEAD}rules: {{}}\n",
            "failed decoding: json: cannot unmarshal object into Go struct field Policy.rules of type "
            "[]v1.PolicyRule",
        ),
        (
            f"{HEAD}rules:\n- level: Foo\n",
            'rules[0].level: Unsupported value: "Foo": supported values: "None", "Metadata", "Request", '
            '"RequestResponse"',
        ),
        (f"{HEAD}rules:\n- users: [a]\n", "rules[0].level: Required value"),
        (f"{HEAD}rules:\n-\n", "rules[0].level: Required value"),
        (
            f"{HEAD}rules:\n- level: 3\n",
            "failed decoding: json: cannot unmarshal number into Go struct field PolicyRule.rules.level of type "
            "v1.Level",
        ),
        (
            one_rule("users: alice"),
            "failed decoding: json: cannot unmarshal string into Go struct field PolicyRule.rules.users of type "
            "[]string",
        ),
        (
            one_rule("users: [1]"),
            "failed decoding: json: cannot unmarshal number into Go struct field PolicyRule.rules.users of type "
            "string",
        ),
        (
            f"{HEAD}omitManagedFields: 'yes'\nrules:\n- level: None\n",
            "failed decoding: json: cannot unmarshal string into Go struct field Policy.omitManagedFields of "
            "type bool",
        ),
        (
            one_rule("omitStages: [RequestReceived, nope, '']"),
            f'[rules[0].omitStages[1]: Invalid value: "nope": {STAGES}, '
            f'rules[0].omitStages[2]: Invalid value: "": {STAGES}]',
        ),
        (
            one_rule("resources: [{group: apps/v1}, {group: '*'}, {group: apps/v1}]"),
            f'rules[0].resources.group: Invalid value: "apps/v1": {SUBDOMAIN}',
        ),
        (
            one_rule("resources: [{group: '', resourceNames: [a, b]}]"),
            'rules[0].resources.resourceNames: Invalid value: ["a","b"]: using resourceNames requires at least '
            "one resource",
        ),
        (
            one_rule("nonResourceURLs: [x, /a*b, '*', /ok*]"),
            "[rules[0].nonResourceURLs[0]: Invalid value: \"x\": non-resource URL rules must begin with a '/' "
            "character, rules[0].nonResourceURLs[1]: Invalid value: \"/a*b\": non-resource URL wildcards '*' must "
            "be the final character of the rule]",
        ),
        (
            f"{HEAD}omitStages: [X]\nrules:\n- level: Foo\n  nonResourceURLs: [x]\n  namespaces: [a]\n- users: [x]\n",
            f'[omitStages[0]: Invalid value: "X": {STAGES}, rules[0].level: Unsupported value: "Foo": supported '
            'values: "None", "Metadata", "Request", "RequestResponse", rules[0].nonResourceURLs[0]: Invalid '
            "value: \"x\": non-resource URL rules must begin with a '/' character, rules[0].nonResourceURLs: "
            'Invalid value: ["x"]: rules cannot apply to both regular resources and non-resource URLs, '
            "rules[1].level: Required value]",
        ),
    ],
)
def test_what_is_no_policy_is_refused_in_the_words_of_kube_apiserver(
    text: str, why: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert str(caught.value) == f"loading audit policy file: {why}: from file {path}"


def test_a_file_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "absent"
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    why = f'failed to read file path "{path}": open {path}: no such file or directory'
    assert str(caught.value) == f"loading audit policy file: {why}"


def test_a_directory_is_no_policy(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PolicyError, match=r"read .*: is a directory"):
        load_policy(tmp_path)
