"""Durations in flags: `1h30m`, `0`, `-1s`."""

import re
from typing import Final

from dray.api.validation.core.go_numbers import duration_problem
from dray.cli.kubectl.session import Failure

_PART: Final = re.compile(r"([0-9.]+)([^0-9.]+)")
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


def seconds_of(duration: str, flag: str, verb: str) -> float:
    """Raises Failure, naming the flag, for what is no duration."""
    if problem := duration_problem(duration):
        raise Failure(
            f'Error: invalid argument "{duration}" for "{flag}" flag: {problem}\n'
            f"See 'kubectl {verb} --help' for usage."
        )
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))
    return -seconds if duration.startswith("-") else seconds
