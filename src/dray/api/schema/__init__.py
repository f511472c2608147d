"""The structure of every kind: its fields, how they are read as Go reads them, and how lists and maps merge."""

from dray.api.schema.conversion import restore
from dray.api.schema.decoding import Decoded, decode
from dray.api.schema.inspection import DecodeError
from dray.api.schema.model import ABSENT, Field, Schema
from dray.api.schema.registry import schema_for

__all__ = ["ABSENT", "DecodeError", "Decoded", "Field", "Schema", "decode", "restore", "schema_for"]
