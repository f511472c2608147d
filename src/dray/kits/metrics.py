"""Counters, gauges and histograms in the Prometheus text format.

Decides how values with labels are kept and printed. Knows nothing of HTTP: whoever serves `/metrics` prints a
`Registry`. Not thread-safe by itself; every role updates its metrics on its event loop.
"""

import bisect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

LabelValues = tuple[str, ...]


def exponential_buckets(start: float, factor: float, count: int) -> tuple[float, ...]:
    """`count` upper bounds, each `factor` times the one before."""
    return tuple(start * factor**index for index in range(count))


class Metric:
    """One named family; a sample exists for each tuple of label values that was ever touched."""

    kind = "untyped"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.help_text = help_text
        self.labels = tuple(labels)

    def samples(self) -> Iterator[tuple[str, str, float]]:
        """(suffix of the name, labels as printed, value), in printing order."""
        raise NotImplementedError

    def render(self) -> Iterator[str]:
        yield f"# HELP {self.name} {_escape_help(self.help_text)}"
        yield f"# TYPE {self.name} {self.kind}"
        for suffix, labels, value in self.samples():
            yield f"{self.name}{suffix}{labels} {_number(value)}"

    def _key(self, labels: Mapping[str, str]) -> LabelValues:
        """Raises KeyError for a missing label and ValueError for one that the family does not have."""
        if len(labels) != len(self.labels):
            unknown = sorted(set(labels) - set(self.labels))
            raise ValueError(
                f"metric {self.name} has labels {list(self.labels)}, not {unknown or list(labels)}"
            )
        return tuple(labels[name] for name in self.labels)

    def _shown(self, values: LabelValues, *extra: tuple[str, str]) -> str:
        pairs = [*zip(self.labels, values, strict=True), *extra]
        if not pairs:
            return ""
        return "{" + ",".join(f'{name}="{_escape_value(value)}"' for name, value in pairs) + "}"


class Counter(Metric):
    kind = "counter"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, help_text, labels)
        self._values: dict[LabelValues, float] = {} if labels else {(): 0.0}

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        key = self._key(labels)
        self._values[key] = self._values.get(key, 0.0) + amount

    def cell(self, **labels: str) -> "CounterCell":
        """For who counts under the same labels often: they are looked up once."""
        key = self._key(labels)
        self._values.setdefault(key, 0.0)
        return CounterCell(self._values, key)

    def value(self, **labels: str) -> float:
        return self._values.get(self._key(labels), 0.0)

    def samples(self) -> Iterator[tuple[str, str, float]]:
        for values in sorted(self._values):
            yield "", self._shown(values), self._values[values]


class Gauge(Counter):
    """A value that is set, or (`collect`) computed when somebody looks."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        collect: Callable[[], Mapping[LabelValues, float]] | None = None,
    ) -> None:
        super().__init__(name, help_text, labels)
        self.collect = collect

    def set(self, value: float, **labels: str) -> None:
        self._values[self._key(labels)] = value

    def dec(self, amount: float = 1.0, **labels: str) -> None:
        self.inc(-amount, **labels)

    def samples(self) -> Iterator[tuple[str, str, float]]:
        if self.collect is not None:
            self._values = dict(self.collect())
        return super().samples()


class Histogram(Metric):
    kind = "histogram"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> None:
        """`buckets`: ascending upper bounds, without +Inf."""
        super().__init__(name, help_text, labels)
        self.buckets = tuple(buckets)
        self._counts: dict[LabelValues, list[int]] = {}
        self._sums: dict[LabelValues, float] = {}

    def observe(self, value: float, **labels: str) -> None:
        self.cell(**labels).observe(value)

    def cell(self, **labels: str) -> "Cell":
        """For who observes the same labels often: they are looked up once."""
        key = self._key(labels)
        if key not in self._counts:
            self._counts[key] = [0] * (len(self.buckets) + 1)
            self._sums[key] = 0.0
        return Cell(self.buckets, self._counts[key], self._sums, key)

    def count(self, **labels: str) -> int:
        return sum(self._counts.get(self._key(labels), ()))

    def total(self, **labels: str) -> float:
        return self._sums.get(self._key(labels), 0.0)

    def samples(self) -> Iterator[tuple[str, str, float]]:
        for values in sorted(self._counts):
            running = 0
            for bound, count in zip((*self.buckets, math.inf), self._counts[values], strict=True):
                running += count
                yield "_bucket", self._shown(values, ("le", _number(bound))), running
            yield "_sum", self._shown(values), self._sums[values]
            yield "_count", self._shown(values), running


class CounterCell:
    """What is counted under one set of labels."""

    __slots__ = ("_key", "_values")

    def __init__(self, values: dict[LabelValues, float], key: LabelValues) -> None:
        self._values, self._key = values, key

    def inc(self, amount: float = 1.0) -> None:
        self._values[self._key] += amount


class Cell:
    """A histogram's observations under one set of labels."""

    __slots__ = ("_buckets", "_counts", "_key", "_sums")

    def __init__(
        self,
        buckets: Sequence[float],
        counts: list[int],
        sums: dict[LabelValues, float],
        key: LabelValues,
    ) -> None:
        self._buckets, self._counts, self._sums, self._key = buckets, counts, sums, key

    def observe(self, value: float) -> None:
        self._counts[bisect.bisect_left(self._buckets, value)] += 1
        self._sums[self._key] += value


class Registry:
    """The metrics of one role, printed together."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}

    def add(self, metric: Metric) -> None:
        """Raises ValueError when the name is taken."""
        if metric.name in self._metrics:
            raise ValueError(f"metric {metric.name} is registered already")
        self._metrics[metric.name] = metric

    def counter(self, name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
        metric = Counter(name, help_text, labels)
        self.add(metric)
        return metric

    def gauge(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        collect: Callable[[], Mapping[LabelValues, float]] | None = None,
    ) -> Gauge:
        metric = Gauge(name, help_text, labels, collect=collect)
        self.add(metric)
        return metric

    def histogram(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> Histogram:
        metric = Histogram(name, help_text, labels, buckets=buckets)
        self.add(metric)
        return metric

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._metrics.values())

    def render(self) -> str:
        return render(self)


def render(metrics: Iterable[Metric]) -> str:
    """Prometheus text format 0.0.4, families by name."""
    lines = [line for metric in sorted(metrics, key=lambda metric: metric.name) for line in metric.render()]
    return "\n".join([*lines, ""]) if lines else ""


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _escape_value(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
