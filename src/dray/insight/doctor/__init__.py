"""What is wrong with DRA in a cluster: findings with their evidence and the command that fixes or shows more."""

from dray.insight.doctor.examination import examine
from dray.insight.doctor.finding import Finding
from dray.insight.doctor.server import IRRELEVANT

__all__ = ["IRRELEVANT", "Finding", "examine"]
