"""Both back ends say the same, and no text does anything but compile or be refused."""

import dataclasses
import sys
from typing import Any

import pytest
from cel_expressions import DRIVER, SELECTORS, devices
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, Selector, compile_selector

DEVICE = {"name": "d", "attributes": {"model": {"string": "H100"}, "index": {"int": 3}}}


@dataclasses.dataclass(frozen=True)
class Answer:
    value: bool | None
    error: str = ""


def exact(selector: Selector, device: dict[str, Any]) -> Answer:
    try:
        return Answer(selector.evaluate_with_cost(DeviceInput.of(DRIVER, device))[0])
    except CelRuntimeError as error:
        return Answer(None, str(error))


def quick(selector: Selector, device: dict[str, Any]) -> Answer:
    prepared = DeviceInput.of(DRIVER, device)
    answer = Answer(None)
    for _ in range(2):  # the first evaluation only makes the code
        try:
            answer = Answer(selector.matches(prepared))
        except CelRuntimeError as error:
            answer = Answer(None, str(error))
    return answer


@settings(max_examples=300)
@given(SELECTORS, st.lists(devices(), min_size=1, max_size=4))
def test_generated_code_answers_as_the_exact_evaluation_does(text: str, inputs: list[dict[str, Any]]) -> None:
    try:
        selector = compile_selector(text)
    except CelCompileError:
        reject()
    for device in inputs:
        assert quick(selector, device) == exact(selector, device)


def outcome(text: str) -> str:
    """What becomes of any text: nothing but these may happen."""
    try:
        selector = compile_selector(text)
    except CelCompileError as error:
        return str(error)
    for _ in range(2):
        try:
            selector.matches(DeviceInput.of(DRIVER, DEVICE))
        except CelRuntimeError as error:
            return str(error)
    return "compiled"


WORDS = st.sampled_from(
    [
        "device", ".", "attributes", "[", "]", "(", ")", '"', "'", "'''", 'r"', 'b"', "in", "&&", "||", "?", ":", "==", "has",
        "all", "x", "1", "1u", "0x", "1e9", "-", "!", "{", "}", ",", "null", "quantity", "semver", "format", "%s", "\\", "\\u12",
        "cel.bind", "optional.of", ".?", "[?", "//", "\n", "\0", "\u20ac", "`a`", "duration", "timestamp", "int", "type", "lists.range",
    ]
)  # fmt: skip


@settings(max_examples=400)
@given(
    st.lists(WORDS, max_size=25).map(" ".join)
    | st.lists(WORDS, max_size=25).map("".join)
    | st.text(max_size=60)
)
@example("\ud800")
@example("a" * 10_000)
def test_any_text_compiles_or_is_refused(text: str) -> None:
    assert outcome(text)


HOSTILE = {
    "nested parentheses": "(" * 5000 + "true" + ")" * 5000,
    "nested lists": "[" * 5000 + "]" * 5000 + ".size() == 0",
    "nested negations": "!" * 5000 + "true",
    "long sum": " + ".join(["1"] * 5000) + " > 0",
    "long conjunction": " && ".join(["true"] * 2500),
    "nested conditionals": "true ? " * 1000 + "true" + " : false" * 1000,
    "big number": "9" * 10_000 + " > 0",
    "big exponent": 'quantity("1e999999999").compareTo(quantity("1")) > 0',
    "big quantity": f'quantity("{"9" * 5000}").compareTo(quantity("1")) > 0',
    "big range": "lists.range(1000000000).size() > 0",
    "range of ranges": "lists.range(100000).all(x, lists.range(100000).all(y, true))",
    "doubling": "cel.bind(a, 'xxxxxxxxxxxxxxxx', " * 20 + "true" + ")" * 20,
    "doubling texts": "".join(f"cel.bind(a{i + 1}, a{i} + a{i}, " for i in range(60)).replace("a0", "'x'")
    + "a60.size() > 0" + ")" * 60,
    "replacing": "'aaaaaaaaaaaaaaaaaaaaaaaa'.replace('', 'bbbbbbbbbbbbbbbbbbbbbbbbbbb').replace('', 'ccccccccccccccc').size() > 0",
    "regex bomb": "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')",
    "big regex": "'a'.matches('((a{100}){100}){100}')",
    "many repetitions": "'a'.matches('a{1000}{1000}')",
    "format precision": "'%.999999999f'.format([1.0]) == ''",
    "escape": "'\\x00\\u0000' == ''",
    "python": "__import__('os').system('true') == 0",
    "python in a name": 'device.attributes["gpu.example.com"].__class__ == "x"',
    "python in a literal": "'{0.__class__}'.format([device]) == ''",
    "quotes": "'\\'\\\"\\n; raise SystemExit #' == device.driver",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_text_is_answered_within_bounds(name: str) -> None:
    limit = sys.getrecursionlimit()
    assert outcome(HOSTILE[name])
    assert sys.getrecursionlimit() == limit
