"""The flags that every question takes, and the connection they mean."""

import asyncio
import contextlib
import dataclasses
import functools
import gc
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

from dray.api.resources import EVENTS, PERSISTENT_VOLUME_CLAIMS, RESOURCE_QUOTAS, Resource
from dray.cli.insight.gather import connect, gather, read_file
from dray.client.config import load_config
from dray.client.versions import VersionedClient
from dray.insight import NoSnapshot, Snapshot

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where objects come from, and how the answer is to be shown."""

    kubeconfig: str | None
    context: str
    user: str
    namespace: str
    file: pathlib.Path | None
    output: str

    def default_namespace(self) -> str:
        if self.namespace or self.file:
            return self.namespace or "default"
        return load_config(self.kubeconfig, context=self.context).namespace

    def snapshot(
        self, resources: Sequence[Resource], *, namespace: str = "", kubelets: bool = False
    ) -> Snapshot:
        """The objects of these kinds, and on demand what kubelets tell; events, quotas and volume claims only of `namespace` where one is given.

        Raises: ClickException for a file that cannot be read; what the client raises.
        """
        if self.file is not None:
            try:
                return read_file(self.file)
            except (NoSnapshot, OSError) as error:
                raise click.ClickException(str(error)) from error
        limited = dict.fromkeys(
            (EVENTS.plural, RESOURCE_QUOTAS.plural, PERSISTENT_VOLUME_CLAIMS.plural), namespace
        )
        return asyncio.run(self._gather(resources, limited, kubelets))

    def connect(self) -> VersionedClient:
        """A client, to be used with `async with`. Raises ConfigError."""
        return connect(self.kubeconfig, self.context, self.user)

    async def _gather(
        self, resources: Sequence[Resource], limited: dict[str, str], kubelets: bool
    ) -> Snapshot:
        async with self.connect() as client:
            return await gather(client, resources, limited, kubelets=kubelets)


def questions(function: Command) -> Command:
    """Give a command the common flags; it gets a `source` in their place."""

    @functools.wraps(function)
    def wrapped(
        kubeconfig: str | None,
        context: str,
        user: str,
        namespace: str,
        snapshot: pathlib.Path | None,
        output: str,
        **rest: Any,
    ) -> Any:
        source = Source(kubeconfig, context, user, namespace, snapshot, output)
        with _collecting_seldom():
            return function(source=source, **rest)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
    """A snapshot of a large cluster is millions of objects that stay: walking over them is half of a question's time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


_OPTIONS = (
    click.option(
        "--kubeconfig", help="The kubeconfig file; else $KUBECONFIG, ~/.kube/config, the pod's own."
    ),
    click.option("--context", default="", help="The context in it."),
    click.option("--as", "user", default="", help="The user to impersonate."),
    click.option("--namespace", "-n", default="", help="The namespace; else that of the context."),
    click.option(
        "--snapshot",
        type=click.Path(path_type=pathlib.Path, dir_okay=False),
        help="Answer from this file (see: dray snapshot capture), not from a cluster.",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Choice(["text", "json", "yaml", "csv"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    ),
)
