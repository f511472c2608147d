"""What a driver program asks of the cluster before it can publish."""

import asyncio
from typing import Any, cast

import pytest

from dray.api.errors import Forbidden
from dray.client.http import HttpClient
from dray.client.protocol import Unreachable
from dray.client.versions import TRUST_SECONDS
from dray.sdk.program import CounterLayout
from dray.testing import virtual


class Server:
    def __init__(self, *minors: str | Exception) -> None:
        self.minors = list(minors)

    async def request(self, method: str, path: str) -> dict[str, Any]:
        assert (method, path) == ("GET", "/version")
        answer = self.minors.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"major": "1", "minor": answer}


def layout(*minors: str | Exception) -> CounterLayout:
    return CounterLayout(cast(HttpClient, Server(*minors)))


@pytest.mark.parametrize(
    ("minor", "combined"), [("32", True), ("34+", True), ("35", False), ("37", False), ("", False)]
)
def test_counters_were_combined_with_devices_before_1_35(minor: str, combined: bool) -> None:
    assert virtual.run(layout(minor).is_combined()) is combined


def test_a_server_that_hides_its_version_is_taken_for_a_new_one() -> None:
    assert virtual.run(layout(Forbidden("no")).is_combined()) is False


def test_the_answer_is_believed_for_a_while_and_then_asked_for_again() -> None:
    async def scenario() -> list[bool]:
        asked = layout("34", "35")
        answers = [await asked.is_combined(), await asked.is_combined()]
        await asyncio.sleep(TRUST_SECONDS + 1)
        return [*answers, await asked.is_combined()]

    assert virtual.run(scenario()) == [True, True, False]


def test_no_answer_is_no_answer() -> None:
    async def scenario() -> bool:
        asked = layout(Unreachable("away"), "34")
        with pytest.raises(Unreachable):
            await asked.is_combined()
        return await asked.is_combined()

    assert virtual.run(scenario()) is True
