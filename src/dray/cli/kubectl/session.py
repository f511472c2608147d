"""One kubectl command's view of the cluster: connection, namespace, discovery, and how failures are told."""

import dataclasses
import errno
import os
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence

import click

from dray.api import errors
from dray.api.resources import NAMESPACES
from dray.cli.kubectl.naming import Discovery, Served, UnknownResource
from dray.client.config import ClientConfig, ConfigError, load_config
from dray.client.http import HttpClient
from dray.client.protocol import Unreachable

NOTHING_NAMED = """error: You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'"""


class Failure(Exception):
    """Ends the command; the text is printed as it is, "" for one that was told before."""

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
    groups: tuple[str, ...] = ()


class Session:
    """Open with `async with`."""

    def __init__(self, flags: Globals) -> None:
        self.config: ClientConfig = _config(flags)
        if flags.user:
            self.config = dataclasses.replace(
                self.config, impersonate=flags.user, impersonate_groups=flags.groups
            )
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

    async def absence(self, error: errors.NotFound, namespace: str) -> errors.StatusError:
        """What to say of an object that is not there: that its namespace is not, where that is so."""
        if namespace and namespace != "default":
            try:
                await self.client.get(NAMESPACES, namespace)
            except errors.NotFound as missing:
                return missing
            except errors.StatusError:
                return error
        return error

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            click.echo(f"Warning: {text}", err=True)


def _config(flags: Globals) -> ClientConfig:
    if flags.kubeconfig and not os.path.exists(flags.kubeconfig):
        raise Failure(f"error: stat {flags.kubeconfig}: no such file or directory")
    try:
        return load_config(flags.kubeconfig, context=flags.context)
    except ConfigError as error:
        if flags.context and f"has no context named {flags.context!r}" in str(error):
            told = f"context was not found for specified context: {flags.context}"
            raise Failure(f"Error in configuration: {told}") from error
        raise


async def run(flags: Globals, action: Callable[[Session], Awaitable[None]]) -> int:
    """Run a command; print its failure as kubectl would and return the exit code."""
    try:
        async with Session(flags) as session:
            await action(session)
    except Failure as failure:
        if str(failure):
            click.echo(str(failure), err=True)
        return failure.code
    except UnknownResource as failure:
        click.echo(str(failure), err=True)
        return 1
    except errors.StatusError as error:
        click.echo(server_error(error), err=True)
        return 1
    except Unreachable as error:
        click.echo(_unreachable(error, flags), err=True)
        return 1
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    return 0


def _unreachable(error: Unreachable, flags: Globals) -> str:
    refusal = getattr(error.__cause__, "os_error", None)
    if refusal is not None and refusal.errno == errno.ECONNREFUSED:
        return refused_connection(_config(flags).server)
    return f"Unable to connect to the server: {error}"


def refused_connection(url: str) -> str:
    where = urllib.parse.urlsplit(url).netloc
    return f"The connection to the server {where} was refused - did you specify the right host or port?"


def server_error(error: errors.StatusError, doing: str = "") -> str:
    """kubectl's wording of an error from the server, which came while `doing` something."""
    if isinstance(error, errors.Invalid) and error.details:
        return _invalid_text(error)
    reason = f" ({error.status_reason})" if error.status_reason else ""
    return f"Error from server{reason}: {doing}{error.message}"


def _invalid_text(error: errors.Invalid) -> str:
    details = error.details or {}
    causes = [f"{each.get('field') or ''}: {each.get('message')}" for each in details.get("causes") or ()]
    head = f'The {details.get("kind")} "{details.get("name", "")}" is invalid'
    if len(causes) == 1:
        return f"{head}: {causes[0]}"
    if not causes:
        return f"{head}: {error.message}"
    return "\n".join([f"{head}: ", *(f"* {cause}" for cause in causes)])


def split_arguments(words: Sequence[str], verb: str) -> list[tuple[str, str]]:
    """`pods a b`, `pod/a svc/b` or `pods` as (type, name) pairs; name "" means all of the type. Raises Failure."""
    if not words:
        raise Failure(
            f"error: You must specify the type of resource to {verb}. "
            'Use "kubectl api-resources" for a complete list of supported resources.'
        )
    if any("/" in word for word in words):
        return [_slashed(word) for word in words]
    kinds, names = words[0].split(","), words[1:]
    if "" in names:
        raise Failure("error: resource name may not be empty")
    if names:
        return [(kind, name) for kind in kinds for name in names]
    return [(kind, "") for kind in kinds]


def _slashed(word: str) -> tuple[str, str]:
    kind, slash, name = word.partition("/")
    if not slash:
        raise Failure(
            "error: there is no need to specify a resource type as a separate argument when passing arguments in "
            "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of "
            "'kubectl get resource resource/<resource_name>'"
        )
    if "/" in name:
        raise Failure("error: arguments in resource/name form may not have more than one slash")
    if not kind or not name:
        raise Failure("error: arguments in resource/name form must have a single resource and name")
    return kind, name
