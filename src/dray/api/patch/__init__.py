"""The three patch languages of the API over plain dicts: JSON patch, JSON merge patch, strategic merge patch.

Each takes a document and a patch and gives a new document that shares what did not change; the input is never
mutated. They know nothing of requests: `PatchError` and `DecodeError` texts become statuses in `refusals`.
"""

from dray.api.patch.json_patch import is_known_member, json_patch, parse_operations, unknown_members
from dray.api.patch.merge import merge_patch
from dray.api.patch.refusals import (
    PatchError,
    PatchFormatError,
    PatchTestError,
    arranged,
    invalid_patch,
    rendered,
    rendered_strategic,
    unprocessable,
)
from dray.api.patch.strategic import strategic_merge_patch, use_up

__all__ = [
    "PatchError",
    "PatchFormatError",
    "PatchTestError",
    "arranged",
    "invalid_patch",
    "is_known_member",
    "json_patch",
    "merge_patch",
    "parse_operations",
    "rendered",
    "rendered_strategic",
    "strategic_merge_patch",
    "unknown_members",
    "unprocessable",
    "use_up",
]
