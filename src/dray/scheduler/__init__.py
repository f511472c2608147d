"""Which pod goes to which node, and which devices it gets there; see `dray.scheduler.scheduler`."""

from dray.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
