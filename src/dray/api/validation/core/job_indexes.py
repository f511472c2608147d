"""Numbers of an indexed job's pods, as a text such as `0,2-4` names them."""

from dray.api.fields import quote
from dray.api.validation.core.go_numbers import whole_number


class UnreadableIndexes(ValueError):
    """These are no indexes; the text says why."""


def count_indexes(text: str, completions: int) -> int:
    """How many indexes a text names, in rising order. Raises UnreadableIndexes."""
    last: int | None = None
    total = 0
    for first, end in (_interval(part, completions) for part in text.split(",") if text):
        if last is not None and last >= first:
            raise UnreadableIndexes(f"non-increasing order, previous: {last}, current: {first}")
        last = end
        total += end - first + 1
    return total


def common_index(left: str, right: str, completions: int) -> int | None:
    """An index that both texts name, None for none; of what cannot be read nothing is named."""
    mine, others = _intervals(left, completions), _intervals(right, completions)
    at = other_at = 0
    while at < len(mine) and other_at < len(others):
        (first, end), (other_first, other_end) = mine[at], others[other_at]
        if first <= other_end and other_first <= end:
            return max(first, other_first)
        if first <= other_first:
            at += 1
        else:
            other_at += 1
    return None


def _intervals(text: str, completions: int) -> list[tuple[int, int]]:
    found = []
    for part in text.split(",") if text else ():
        try:
            found.append(_interval(part, completions))
        except UnreadableIndexes:
            continue
    return found


def _interval(text: str, completions: int) -> tuple[int, int]:
    ends = text.split("-")
    if len(ends) > 2:
        raise UnreadableIndexes(
            f"the fragment {quote(text)} violates the requirement that an index interval can have at most two parts "
            "separated by '-'"
        )
    numbers = [_index(end, completions) for end in ends]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise UnreadableIndexes(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def _index(text: str, completions: int) -> int:
    number = whole_number(text)
    if isinstance(number, str):
        raise UnreadableIndexes(f"cannot convert string to integer for index: {quote(text)}")
    if number >= completions:
        raise UnreadableIndexes(f"too large index: {quote(text)}")
    return number
