"""Failures a user may meet in ordinary life, and how they are told: one line, what and what to do."""

from dray.api.errors import StatusError
from dray.client.config import ConfigError
from dray.client.leader import LeadershipLost
from dray.client.protocol import Unreachable
from dray.cluster.layout import ClusterError

EXPECTED = (ClusterError, ConfigError, LeadershipLost, StatusError, Unreachable)


def explain(error: BaseException) -> str:
    if isinstance(error, StatusError):
        reason = f" ({error.status_reason})" if error.status_reason else ""
        return f"error from server{reason}: {error.message}"
    if isinstance(error, Unreachable):
        return f"the API server does not answer: {error}"
    return str(error)
