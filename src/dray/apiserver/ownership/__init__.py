"""Who owns which field: `metadata.managedFields`, and server-side apply."""

from dray.apiserver.ownership.applying import apply
from dray.apiserver.ownership.entries import manager_of
from dray.apiserver.ownership.fieldset import EMPTY, FieldSet
from dray.apiserver.ownership.reset import reset_fields
from dray.apiserver.ownership.updates import keep_times_when_unchanged, record_update
from dray.apiserver.ownership.versions import Converter

__all__ = [
    "EMPTY",
    "Converter",
    "FieldSet",
    "apply",
    "keep_times_when_unchanged",
    "manager_of",
    "record_update",
    "reset_fields",
]
