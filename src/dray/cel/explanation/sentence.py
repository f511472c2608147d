"""Puts a false term into words: what the device has and what is asked for.

Only comparisons of one value of the device with constants are put into words; anything else is quoted.
"""

from dray.cel.ast import Call, CreateList, Expr, Literal, Select
from dray.cel.explanation.reading import Reading, Readings, show_plainly

_COMPARISONS = {
    "_==_": "",
    "_!=_": "anything but ",
    "_<_": "less than ",
    "_<=_": "at most ",
    "_>_": "more than ",
    "_>=_": "at least ",
}
_NEGATED = {"_==_": "_!=_", "_!=_": "_==_", "_<_": "_>=_", "_>=_": "_<_", "_>_": "_<=_", "_<=_": "_>_"}
_MIRRORED = {"_<_": "_>_", "_>_": "_<_", "_<=_": "_>=_", "_>=_": "_<=_"}
_ORDERINGS = {"isLessThan": "_<_", "isGreaterThan": "_>_"}
_TEXT_TESTS = {
    "startsWith": "starting with ",
    "endsWith": "ending with ",
    "contains": "containing ",
    "matches": "matching ",
}


def put_into_words(term: Expr, readings: Readings) -> str | None:
    """`memory is 80Gi, you ask for at least 100Gi`; None where the term is no simple comparison."""
    wanted = True
    while isinstance(term, Call) and term.function == "!_":
        term, wanted = term.args[0], not wanted
    if isinstance(term, Select) and term.test_only:
        return _presence(Select(term.id, term.offset, term.operand, term.field), readings, wanted=wanted)
    reading = readings.one(term)
    if reading is not None and not _asks_for_presence(term):
        return _sentence(reading, str(wanted).lower())
    if not isinstance(term, Call):
        return None
    if term.function == "hasValue" and term.target is not None:
        return _presence(term.target, readings, wanted=wanted)
    return _comparison(term, readings, wanted=wanted)


def _asks_for_presence(term: Expr) -> bool:
    return isinstance(term, Call) and term.function == "hasValue"


def _sentence(reading: Reading, asked: str) -> str | None:
    """None where the value is missing: what the term compared then was something else."""
    return f"{reading}, you ask for {asked}" if reading.present else None


def _presence(expr: Expr, readings: Readings, *, wanted: bool) -> str | None:
    reading = readings.one(expr)
    if reading is None or reading.present == wanted:
        return None
    return str(reading) if wanted else f"{reading}, you ask for devices without it"


def _comparison(term: Call, readings: Readings, *, wanted: bool) -> str | None:
    function = term.function
    if function in _COMPARISONS:
        return _relation(term, readings, wanted=wanted)
    if function in _ORDERINGS and term.target is not None:
        return _ordered(_ORDERINGS[function], term.target, term.args[0], readings, wanted=wanted)
    if function == "@in":
        return _membership(term, readings, wanted=wanted)
    if function in _TEXT_TESTS and term.target is not None and len(term.args) == 1:
        how = _TEXT_TESTS[function]
        return _asked(term.target, f"one {how}" if wanted else f"one not {how}", term.args[0], readings)
    return None


def _relation(term: Call, readings: Readings, *, wanted: bool) -> str | None:
    function = term.function
    left, right = term.args
    if constant_text(left) is not None:
        left, right, function = right, left, _MIRRORED.get(function, function)
    if isinstance(left, Call) and left.function == "compareTo" and left.target is not None:
        if not isinstance(right, Literal) or right.value != 0:
            return None
        return _ordered(function, left.target, left.args[0], readings, wanted=wanted)
    return _ordered(function, left, right, readings, wanted=wanted)


def _membership(term: Call, readings: Readings, *, wanted: bool) -> str | None:
    """`value in [constants]`, or `"name" in device.attributes["domain"]`."""
    item, container = term.args
    if isinstance(item, Literal) and isinstance(item.value, str):
        selected = Select(term.id, term.offset, container, item.value)
        return _presence(selected, readings, wanted=wanted)
    return _asked(item, "one of " if wanted else "none of ", container, readings)


def _ordered(function: str, left: Expr, right: Expr, readings: Readings, *, wanted: bool) -> str | None:
    return _asked(left, _COMPARISONS[function if wanted else _NEGATED[function]], right, readings)


def _asked(subject: Expr, how: str, constant: Expr, readings: Readings) -> str | None:
    reading, text = readings.one(subject), constant_text(constant)
    if reading is None or text is None:
        return None
    return _sentence(reading, how + text)


def constant_text(expr: Expr) -> str | None:
    """A constant as a sentence shows it; quantities and versions as they are written."""
    if isinstance(expr, Literal):
        return show_plainly(expr.value)
    if isinstance(expr, Call) and expr.function in ("quantity", "semver") and expr.args:
        return constant_text(expr.args[0])
    if isinstance(expr, CreateList):
        texts = [constant_text(element) for element in expr.elements]
        return ", ".join(text for text in texts if text is not None) if None not in texts else None
    return None
