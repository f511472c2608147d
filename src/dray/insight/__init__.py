"""Answers about devices from a snapshot of a cluster's objects: why pending, who holds what, what would fit."""

from dray.insight.snapshot import NoSnapshot, Snapshot, from_document, to_document

__all__ = ["NoSnapshot", "Snapshot", "from_document", "to_document"]
