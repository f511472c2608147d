"""The flags of the running command as /flagz shows them."""

from typing import Any

import click


def shown_flags() -> dict[str, str]:
    """By name without dashes, in the words of the command line; "" for a flag that has no value."""
    context = click.get_current_context()
    return {
        max(option.opts, key=len).lstrip("-"): _shown(context.params.get(option.name or ""))
        for option in context.command.params
        if isinstance(option, click.Option) and not option.is_eager
    }


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(_shown(item) for item in value)}]"
    return str(value)
