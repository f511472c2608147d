import pytest

from dray.kits.metrics import Registry, exponential_buckets


def test_counter_adds_per_label_value() -> None:
    registry = Registry()
    attempts = registry.counter("attempts_total", "Tries.", ["result"])

    attempts.inc(result="ok")
    attempts.inc(2, result="ok")
    attempts.inc(result="bad")

    assert registry.render() == (
        "# HELP attempts_total Tries.\n"
        "# TYPE attempts_total counter\n"
        'attempts_total{result="bad"} 1\n'
        'attempts_total{result="ok"} 3\n'
    )


def test_histogram_buckets_are_cumulative_and_bounds_inclusive() -> None:
    registry = Registry()
    seconds = registry.histogram("seconds", "Time.", buckets=exponential_buckets(0.5, 2, 2))

    for value in (0.5, 0.7, 3):
        seconds.observe(value)

    assert registry.render().splitlines()[2:] == [
        'seconds_bucket{le="0.5"} 1',
        'seconds_bucket{le="1"} 2',
        'seconds_bucket{le="+Inf"} 3',
        "seconds_sum 4.2",
        "seconds_count 3",
    ]


def test_collected_gauge_is_computed_when_printed() -> None:
    registry = Registry()
    sizes = {("a",): 1.0}
    registry.gauge("size", "Sizes.", ["queue"], collect=lambda: sizes)

    sizes["b",] = 2.5

    assert registry.render().splitlines()[2:] == ['size{queue="a"} 1', 'size{queue="b"} 2.5']


def test_label_values_are_escaped() -> None:
    registry = Registry()
    registry.counter("c", "C.", ["path"]).inc(path='a"b\\c\n')

    assert 'c{path="a\\"b\\\\c\\n"} 1' in registry.render()


def test_unknown_label_is_refused() -> None:
    counter = Registry().counter("c", "C.", ["path"])

    with pytest.raises(ValueError, match="has labels"):
        counter.inc(path="x", extra="y")


def test_name_is_taken_once() -> None:
    registry = Registry()
    registry.counter("c", "C.")

    with pytest.raises(ValueError, match="registered already"):
        registry.gauge("c", "C.")
