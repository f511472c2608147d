"""Where expressions are evaluated: at once where that is quick, else beside the event loop.

So a costly expression delays nobody but the write it is about. In a thread, questions to the authorizer go by way of the
event loop, where everything else happens too.
"""

import asyncio
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from dray.api.meta import Object
from dray.apiserver.access import Attributes
from dray.apiserver.admission.policies.evaluation import Impatient, Meter
from dray.apiserver.admission.policies.values import values_of
from dray.apiserver.admission.view import Form, View
from dray.apiserver.core import Call
from dray.apiserver.registry.kind import User
from dray.cel.values.authorization import Ask, Decision, Question

PATIENCE: Final = 10_000
"""Cost up to which is evaluated at once: some 25 ms."""

THREADS: Final = 2

Result = TypeVar("Result")


async def patiently(
    view: View, form: Form, param: Object | None, evaluate: Callable[[Mapping[str, Any], Meter], Result]
) -> Result:
    """What `evaluate` makes of what the expressions see; it may be called twice. Raises what it raises."""
    call = view.request.call
    try:
        return evaluate(values_of(view, form, param, ask=ask_directly(call)), Meter(PATIENCE))
    except Impatient:
        values = values_of(view, form, param, ask=ask_from_thread(call))
        return await asyncio.get_running_loop().run_in_executor(_aside(), evaluate, values, Meter())


@functools.cache
def _aside() -> ThreadPoolExecutor:
    """Few threads, and no others': costly rules wait for each other, and nothing else waits for them."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="admission")


def ask_directly(call: Call) -> Ask:
    """Answers are remembered: one expression likes to ask the same question many times."""
    known: dict[Question, Decision] = {}

    def ask(question: Question) -> Decision:
        if question not in known:
            decision = call.core.authorizer.authorize(_attributes(call, question))
            known[question] = Decision(decision.allowed, decision.reason)
        return known[question]

    return ask


def ask_from_thread(call: Call) -> Ask:
    """To be made on the event loop that serves the call, and used from another thread."""
    loop, directly = asyncio.get_running_loop(), ask_directly(call)

    def ask(question: Question) -> Decision:
        async def answer() -> Decision:
            return directly(question)

        return asyncio.run_coroutine_threadsafe(answer(), loop).result()

    return ask


def _attributes(call: Call, question: Question) -> Attributes:
    return Attributes(
        call.user if question.account is None else _account(*question.account),
        question.verb,
        group=question.group,
        version="*" if question.resource else "",
        resource=question.resource,
        subresource=question.subresource,
        namespace=question.namespace,
        name=question.name,
        path=question.path,
        labels=question.labels,
        fields=question.fields,
    )


def _account(namespace: str, name: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)
