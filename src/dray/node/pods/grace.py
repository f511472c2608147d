"""How long a pod has to stop. Pure."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import is_deleting, parse_time

DEFAULT_SECONDS: Final = 30


def grace_seconds(pod: Mapping[str, Any], now: dt.datetime, probe: Mapping[str, Any] | None = None) -> float:
    """Seconds from `now`. `probe`: the one whose failure ends the container; it may grant its own time."""
    own = pod["spec"].get("terminationGracePeriodSeconds")
    if probe is not None and probe.get("terminationGracePeriodSeconds") is not None:
        own = probe["terminationGracePeriodSeconds"]
    grace = float(DEFAULT_SECONDS if own is None else own)
    if not is_deleting(pod):
        return grace
    granted = pod["metadata"].get("deletionGracePeriodSeconds")
    grace = float(grace if granted is None else granted)
    # deletionTimestamp is when the grace ends: an agent that was away grants only the rest.
    end = parse_time(pod["metadata"]["deletionTimestamp"])
    left = (end - now).total_seconds()
    return max(0.0, min(grace, left + 1))
