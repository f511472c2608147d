"""Flags about the audit log, as kube-apiserver has them."""

import pathlib
from collections.abc import Callable
from typing import Any

import click

_PATH = click.Path(path_type=pathlib.Path)
_NUMBERS = (
    (
        "--audit-log-maxsize",
        100,
        "Megabytes after which the file is set aside and a new one begun. 0: never.",
    ),
    ("--audit-log-maxbackup", 100, "Files set aside that are kept. 0: any number."),
    ("--audit-log-maxage", 366, "Days for which they are kept. 0: for ever."),
)


def audit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for flag, default, text in reversed(_NUMBERS):
        number = click.option(flag, default=default, show_default=True, type=click.IntRange(0), help=text)
        function = number(function)
    function = click.option(
        "--audit-policy-file",
        type=_PATH,
        help="Of which requests how much is written: an audit.k8s.io/v1 Policy. Without one, who asked what and the "
        "answer's code, of every request, and no bodies (kube-apiserver then writes nothing).",
    )(function)
    return click.option(
        "--audit-log-path",
        type=_PATH,
        help="Write what is asked of the server there, as audit.k8s.io/v1 events. -: to standard output.",
    )(function)


def audit_settings(flags: dict[str, Any]) -> dict[str, Any]:
    """For `ApiServerSettings`."""
    from dray.apiserver.audit.log import Rotation

    rotation = Rotation(flags["audit_log_maxsize"], flags["audit_log_maxbackup"], flags["audit_log_maxage"])
    return {
        "audit_log": flags["audit_log_path"],
        "audit_policy": flags["audit_policy_file"],
        "audit_rotation": rotation,
    }
