"""One kubectl command's view of the cluster: connection, namespace, discovery, and how failures are told."""

import dataclasses
from collections.abc import Awaitable, Callable

import click

from dray.api import errors
from dray.cli.kubectl.naming import Discovery, Served, UnknownResource
from dray.client.config import ClientConfig, ConfigError, load_config
from dray.client.http import HttpClient
from dray.client.protocol import Unreachable


class Failure(Exception):
    """Ends the command; the text is printed as it is."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True)
class Globals:
    """The flags every command takes."""

    kubeconfig: str | None
    context: str
    namespace: str
    user: str = ""


class Session:
    """Open with `async with`."""

    def __init__(self, flags: Globals) -> None:
        self.config: ClientConfig = load_config(flags.kubeconfig, context=flags.context)
        if flags.user:
            self.config = dataclasses.replace(self.config, impersonate=flags.user)
        self.namespace = flags.namespace or self.config.namespace
        self.is_namespace_given = bool(flags.namespace)
        self.client = HttpClient(self.config, user_agent="kubectl/dray", on_warning=self._warn)
        self._warned: set[str] = set()
        self._discovery: Discovery | None = None

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()

    async def discovery(self) -> Discovery:
        if self._discovery is None:
            self._discovery = await Discovery.read(self.client)
        return self._discovery

    async def find(self, name: str) -> Served:
        return (await self.discovery()).find(name)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            click.echo(f"Warning: {text}", err=True)


async def run(flags: Globals, action: Callable[[Session], Awaitable[None]]) -> int:
    """Run a command; print its failure as kubectl would and return the exit code."""
    try:
        async with Session(flags) as session:
            await action(session)
    except Failure as failure:
        click.echo(str(failure), err=True)
        return failure.code
    except UnknownResource as failure:
        click.echo(str(failure), err=True)
        return 1
    except errors.StatusError as error:
        click.echo(server_error(error), err=True)
        return 1
    except Unreachable as error:
        click.echo(f"Unable to connect to the server: {error}", err=True)
        return 1
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    return 0


def server_error(error: errors.StatusError) -> str:
    """kubectl's wording of an error from the server."""
    if isinstance(error, errors.Invalid) and error.details:
        return _invalid_text(error)
    reason = f" ({error.status_reason})" if error.status_reason else ""
    return f"Error from server{reason}: {error.message}"


def _invalid_text(error: errors.Invalid) -> str:
    details = error.details or {}
    causes = details.get("causes") or []
    head = f'The {details.get("kind")} "{details.get("name", "")}" is invalid'
    if len(causes) == 1:
        return f"{head}: {causes[0].get('field')}: {causes[0].get('message')}"
    if not causes:
        return f"{head}: {error.message}"
    return "\n".join([f"{head}: ", *(f"* {cause.get('field')}: {cause.get('message')}" for cause in causes)])


def split_arguments(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """`pods a b`, `pod/a svc/b` or `pods` as (type, name) pairs; name "" means all of the type."""
    if not words:
        raise Failure("error: You must specify the type of resource to get.")
    if any("/" in word for word in words):
        if not all(word.count("/") == 1 and all(word.split("/")) for word in words):
            raise Failure(
                "error: there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'"
            )
        return [(kind, name) for kind, name in (word.split("/") for word in words)]
    kinds, names = words[0].split(","), words[1:]
    if names:
        return [(kind, name) for kind in kinds for name in names]
    return [(kind, "") for kind in kinds]
