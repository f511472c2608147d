"""What an applier is told when fields it wants belong to others."""

from collections.abc import Mapping
from typing import NamedTuple

from dray.api import errors
from dray.api.fields import quote
from dray.apiserver.ownership.elements import path_text
from dray.apiserver.ownership.entries import UPDATE, Owner
from dray.apiserver.ownership.fieldset import FieldSet, members


class FieldConflict(NamedTuple):
    owner: Owner
    field: str
    """As printed: `.spec.replicas`."""


def conflicts_of(contested: Mapping[Owner, FieldSet]) -> list[FieldConflict]:
    """One for each owner and field; upstream's order within an owner."""
    return [
        FieldConflict(key, path_text(path)) for key, fields in contested.items() for path in members(fields)
    ]


def apply_conflict(found: list[FieldConflict]) -> errors.Conflict:
    """409 that lists every contested field, with a cause for each."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(owner)}", "field": field}
        for owner, field in found
    ]
    return errors.Conflict(_message(found), details={"causes": causes})


def _message(found: list[FieldConflict]) -> str:
    if len(found) == 1:
        owner, field = found[0]
        return f"Apply failed with 1 conflict: conflict with {_named(owner)}: {field}"
    lines = []
    for owner in sorted({conflict.owner for conflict in found}, key=_identifier):
        lines.append(f"conflicts with {_named(owner)}:")
        lines += [f"- {conflict.field}" for conflict in found if conflict.owner == owner]
    return f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)


def _identifier(owner: Owner) -> tuple[str, ...]:
    return (owner.manager, owner.operation, owner.api_version, owner.subresource)


def _named(owner: Owner) -> str:
    text = quote(owner.manager)
    if owner.subresource:
        text += f" with subresource {quote(owner.subresource)}"
    return f"{text} using {owner.api_version}" if owner.operation == UPDATE else text
