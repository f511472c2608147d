"""Flags about proxies that name users in headers, as kube-apiserver has them."""

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dray.apiserver.authentication.front_proxy import FrontProxy

_CA_FILE = "requestheader_client_ca_file"


def front_proxy_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for flag, default, text in reversed(
        (
            ("--requestheader-allowed-names", "", "Common names of such proxies; none: any."),
            ("--requestheader-username-headers", "X-Remote-User", "Headers with the user."),
            ("--requestheader-group-headers", "X-Remote-Group", "Headers with the groups."),
            ("--requestheader-extra-headers-prefix", "X-Remote-Extra-", "How headers with more begin."),
            ("--requestheader-uid-headers", "", "Headers with the user's uid."),
        )
    ):
        option = click.option(
            flag, default=default, show_default=bool(default), metavar="NAME,...", help=text
        )
        function = option(function)
    return click.option(
        "--requestheader-client-ca-file",
        type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
        help="Whose certificates make proxies that name users in headers; else an authority that is made, for the name front-proxy-client.",
    )(function)


def front_proxy(flags: dict[str, Any]) -> "FrontProxy | None":
    """None without an authority: the server then has its own."""
    from dray.apiserver.authentication.front_proxy import FrontProxy

    path: pathlib.Path | None = flags[_CA_FILE]
    if path is None:
        return None

    def names(flag: str) -> tuple[str, ...]:
        return tuple(filter(None, (each.strip() for each in str(flags[flag]).split(","))))

    return FrontProxy(
        path.read_bytes(),
        allowed_names=names("requestheader_allowed_names"),
        username_headers=names("requestheader_username_headers"),
        group_headers=names("requestheader_group_headers"),
        extra_prefixes=names("requestheader_extra_headers_prefix"),
        uid_headers=names("requestheader_uid_headers"),
    )
