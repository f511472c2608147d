"""The authorizer of admission policies: what is asked, what it costs, and what cannot be asked."""

from typing import Any

import pytest

from dray.cel import COST_LIMIT, CelRuntimeError, Vocabulary
from dray.cel.library.authorization import AUTHORIZER, RESOURCE
from dray.cel.types import BOOL, STRING
from dray.cel.values.authorization import Authorizer, Decision, Question, ResourceCheck

LANGUAGE = Vocabulary({"authorizer": AUTHORIZER, "authorizer.requestResource": RESOURCE}, {})
CHECK_COST = 350_000


def asked(text: str, decision: Decision | None = None) -> tuple[Any, int, list[Question]]:
    questions: list[Question] = []

    def ask(question: Question) -> Decision:
        questions.append(question)
        return decision or Decision(True)

    here = Question(group="apps", resource="deployments", namespace="web", name="shop")
    variables = {"authorizer": Authorizer(ask), "authorizer.requestResource": ResourceCheck(ask, here)}
    value, cost = LANGUAGE.compile(text, [BOOL, STRING]).evaluate_with_cost(variables)
    return value, cost, questions


def test_a_question_about_a_resource_is_put_together_in_steps() -> None:
    steps = ".resource('pods').subresource('log').namespace('ns').name('p').fieldSelector('a=b').labelSelector('c=d')"
    value, _, questions = asked(f"authorizer.group(''){steps}.check('get').allowed()")
    assert value is True
    wanted = Question(
        verb="get", resource="pods", subresource="log", namespace="ns", name="p", fields="a=b", labels="c=d"
    )
    assert questions == [wanted]


def test_a_question_may_be_about_a_path_or_for_an_account() -> None:
    _, _, questions = asked("authorizer.serviceAccount('ns', 'sa').path('/metrics').check('get').allowed()")
    assert questions == [Question(account=("ns", "sa"), path="/metrics", verb="get")]


def test_the_resource_of_the_request_is_asked_about_as_it_is() -> None:
    _, _, questions = asked("authorizer.requestResource.check('custom').allowed()")
    assert questions == [
        Question(group="apps", resource="deployments", namespace="web", name="shop", verb="custom")
    ]


def test_a_decision_says_why() -> None:
    question = "authorizer.path('/x').check('get')"
    assert asked(f"{question}.reason()", Decision(False, "because"))[0] == "because"
    assert asked(f"{question}.errored()", Decision(False, error="broken"))[0] is True
    assert asked(f"{question}.error()", Decision(False, error="broken"))[0] == "broken"


def test_two_questions_can_be_afforded_and_a_third_cannot() -> None:
    question = "authorizer.path('/x').check('get').allowed()"
    _, cost, _ = asked(f"{question} && {question}")
    assert 2 * CHECK_COST < cost < COST_LIMIT
    with pytest.raises(CelRuntimeError, match="actual cost limit exceeded"):
        asked(f"{question} && {question} && {question}")
    assert LANGUAGE.compile(question).estimated_cost >= CHECK_COST


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("authorizer.path(' ').check('get').allowed()", "path must not be empty"),
        ("authorizer.group('').resource('').check('get').allowed()", "resource must not be empty"),
        (
            "authorizer.serviceAccount('ns', 'No').path('/').check('get').allowed()",
            "Invalid service account name",
        ),
        (
            "authorizer.serviceAccount('n.s', 'sa').path('/').check('get').allowed()",
            "Invalid service account namespace",
        ),
    ],
)
def test_what_cannot_be_asked(text: str, fault: str) -> None:
    with pytest.raises(CelRuntimeError, match=fault):
        asked(text)
