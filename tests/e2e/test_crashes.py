"""An acknowledged write survives SIGKILL, and watches go on where they were."""

import pathlib

import pytest

from dray.testing.crash_loop import Broken, CrashLoop, Report, Watcher, Write, Writer


async def test_nothing_acknowledged_is_lost_over_many_deaths(tmp_path: pathlib.Path) -> None:
    report = await CrashLoop(tmp_path / "data", seed=1).run(kills=8)

    assert report.kills == 8
    assert report.acknowledged > 100
    assert report.resumed == 8


def writer_with(*writes: Write) -> Writer:
    writer = Writer(0, 0)
    writer.history["w0-0"] = list(writes)
    return writer


def found(content: str, revision: int) -> dict[str, dict[str, object]]:
    return {"w0-0": {"metadata": {"resourceVersion": str(revision)}, "data": {"v": content}}}


def test_lost_write_is_caught() -> None:
    writer = writer_with(Write("w0-0", "a", True, 5), Write("w0-0", "b", True, 6))
    with pytest.raises(Broken, match="acknowledged b, found a"):
        writer.settle(found("a", 5), Report())


def test_write_that_was_stored_twice_is_caught() -> None:
    with pytest.raises(Broken, match="acknowledged at 5, found at 7"):
        writer_with(Write("w0-0", "a", True, 5)).settle(found("a", 7), Report())


def test_write_that_broke_off_may_be_stored_or_not() -> None:
    for content in ("a", "b"):
        writer = writer_with(Write("w0-0", "a", True, 5), Write("w0-0", "b"))
        writer.settle(found(content, 6 if content == "b" else 5), Report())
        assert writer.present("w0-0") == content


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([(5, "w0-0", "a")], id="gap"),
        pytest.param([(5, "w0-0", "a"), (6, "w0-0", "b"), (6, "w0-0", "b")], id="repeat"),
        pytest.param([(6, "w0-0", "b"), (5, "w0-0", "a")], id="out of order"),
        pytest.param([(5, "w0-0", "a"), (6, "w0-0", "c")], id="never written"),
    ],
)
async def test_watch_that_misleads_is_caught(events: list[tuple[int, str, str | None]]) -> None:
    writer = writer_with(Write("w0-0", "a", True, 5), Write("w0-0", "b", True, 6))
    watcher = Watcher("1")
    watcher.events = events
    with pytest.raises(Broken):
        watcher.check([writer])
