"""What a container's own rules say of its end, before any policy does."""

from collections.abc import Mapping
from typing import Any, Final

RESTART: Final = "Restart"
RESTART_ALL: Final = "RestartAllContainers"
"""The whole pod begins anew, its init containers included."""


def action_of(container: Mapping[str, Any], exit_code: int) -> str:
    """Of the container's first rule that speaks of the exit code; "" where none does."""
    rules = container.get("restartPolicyRules") or ()
    return next((str(rule.get("action") or "") for rule in rules if _applies(rule, exit_code)), "")


def _applies(rule: Mapping[str, Any], exit_code: int) -> bool:
    codes = rule.get("exitCodes") or {}
    listed = exit_code in (codes.get("values") or ())
    return listed if codes.get("operator") == "In" else not listed


def may_restart_all(container: Mapping[str, Any]) -> bool:
    """Whether some end of the container has the whole pod begin anew."""
    return any(rule.get("action") == RESTART_ALL for rule in container.get("restartPolicyRules") or ())
