"""YAML as kubectl prints it."""

from typing import Any

from dray.api.schema.go_yaml import to_yaml


def dump_yaml(obj: Any) -> str:
    return to_yaml(obj).decode()
