"""The answer of `dray whatif` as people and spreadsheets read it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from dray.cli.insight.output import heading, table, wrapped
from dray.insight.whatif.forecast import Forecast
from dray.insight.whatif.sizing import Need

SHOWN = 20
Item = TypeVar("Item")


def forecast_lines(answer: Forecast, changes: Sequence[str], *, minimum: bool = False) -> Iterator[str]:
    """`changes` in words; `minimum`: it was asked how many more nodes are needed."""
    if changes:
        yield from wrapped(f"If {'; '.join(changes)}:")
    yield heading(_verdict(answer))
    yield from _workloads(answer)
    yield from _evicted(answer)
    yield from _pending(answer)
    yield from _needs(answer.needs)
    if minimum and answer.fits:
        yield "No more nodes are needed."
    yield from _places(answer)
    for note in answer.notes:
        yield from wrapped(f"note: {note}", hang=6)


def _verdict(answer: Forecast) -> str:
    placed, total = len(answer.placed), len(answer.placed) + len(answer.pending)
    if not total:
        return "Every pod has a place."
    if answer.fits:
        return (
            f"All {total} pods that need a place get one."
            if total > 1
            else "The one pod that needs a place gets one."
        )
    return f"{placed} of {total} pods that need a place get one, {total - placed} stay pending."


def _workloads(answer: Forecast) -> Iterator[str]:
    rows = [(w.workload, w.pods, w.running, w.placed, w.pending) for w in answer.workloads]
    if not rows or (len(answer.workloads) == len(answer.pending) + len(answer.placed) == 1):
        return
    yield ""
    yield from table(
        ("WORKLOAD", "PODS", "RUN ALREADY", "GET A PLACE", "STAY PENDING"), rows[:SHOWN], indent=2
    )
    yield from _more(len(rows))


def _more(count: int) -> Iterator[str]:
    if count > SHOWN:
        yield f"  … and {count - SHOWN} more (-o json has all)"


def _evicted(answer: Forecast) -> Iterator[str]:
    places = {place.pod: place.node for place in answer.placed}
    pending = {waiting.pod for waiting in answer.pending}
    for reason, pods in _grouped((each.reason, each) for each in answer.evicted):
        yield ""
        yield heading(f"evicted, since {reason}: {len(pods)} pod{'s' if len(pods) > 1 else ''}")
        rows = []
        for each in pods[:SHOWN]:
            fate = places.get(each.pod) or ("stays pending" if each.pod in pending else "is gone")
            late = f"after {each.after_seconds}s" if each.after_seconds else ""
            lost = "" if each.comes_back else "nothing makes it again: you must"
            rows.append((each.pod, each.node, fate, ", ".join(filter(None, (late, lost)))))
        yield from table(
            ("POD", "FROM", "TO", "" if not any(row[3] for row in rows) else "NOTES"), rows, indent=2
        )
        yield from _more(len(pods))


def _pending(answer: Forecast) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for waiting in answer.pending:
        reasons.setdefault(waiting.reason, []).append(waiting.pod)
    for reason, pods in reasons.items():
        more = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
        yield ""
        yield heading(f"pending: {', '.join(pods[:3])}{more}")
        yield from wrapped(reason, indent=2)


def _needs(needs: Sequence[Need]) -> Iterator[str]:
    if not needs:
        return
    yield ""
    yield heading("more nodes")
    rows = [
        (
            need.workload, need.pending, need.like, f"{need.one_more} of {need.pending} fit" if need.one_more else "does not help",
            "no number" if need.nodes is None else need.nodes,
        )
        for need in needs
    ]  # fmt: skip
    yield from table(
        ("WORKLOAD", "PENDING", "NODES LIKE", "ONE MORE", "ENOUGH FOR ALL"), rows[:SHOWN], indent=2
    )
    yield from _more(len(rows))
    for reason, likes in _grouped((need.reason, need.like) for need in needs if need.reason):
        some = ", ".join(list(dict.fromkeys(likes))[:3])
        yield from wrapped(f"like {some}: {reason}", indent=2, hang=4)


def _grouped(pairs: Iterable[tuple[str, Item]]) -> list[tuple[str, list[Item]]]:
    groups: dict[str, list[Item]] = {}
    for name, item in pairs:
        groups.setdefault(name, []).append(item)
    return list(groups.items())


def _places(answer: Forecast) -> Iterator[str]:
    told = {each.pod for each in answer.evicted}
    rows = [(place.pod, place.node) for place in answer.placed if place.pod not in told]
    if rows:
        yield ""
        yield from table(("POD", "NODE"), rows[:SHOWN], indent=2)
        yield from _more(len(rows))


def forecast_rows(answer: Forecast) -> list[dict[str, Any]]:
    """One for each pod that needs a place."""
    evicted = {each.pod: each for each in answer.evicted}

    def row(pod: str, node: str, reason: str) -> dict[str, Any]:
        was = evicted.get(pod)
        return {
            "pod": pod, "node": node, "pending": reason,
            "evicted_from": was.node if was else "", "evicted_by": was.reason if was else "",
        }  # fmt: skip

    rows = [row(place.pod, place.node, "") for place in answer.placed]
    rows += [row(waiting.pod, "", waiting.reason) for waiting in answer.pending]
    known = {each["pod"] for each in rows}
    return rows + [row(pod, "", "") for pod in evicted if pod not in known]
