"""Why a selector does not match: the terms of its `&&` that are false, and what the device has instead."""

from dray.cel.explanation.explanation import Explanation, Finding, explain
from dray.cel.explanation.reading import Reading

__all__ = ["Explanation", "Finding", "Reading", "explain"]
