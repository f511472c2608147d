"""Objects from `-f`: files, directories, standard input, URLs; YAML or JSON, many documents in one."""

import pathlib
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence

import yaml

from dray.api.meta import Object
from dray.cli.kubectl.session import Failure

URL_TIMEOUT_SECONDS = 30
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TextLoader(_LOADER):  # type: ignore[misc, valid-type]
    """Timestamps stay text, as in JSON."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _LOADER.yaml_implicit_resolvers.items()
}


def read_manifests(names: Sequence[str], *, recursive: bool = False) -> list[Object]:
    """Every object in the given order; Lists are opened. Raises Failure naming the file and what is wrong with it."""
    objects = [
        obj for name in names for source, text in _sources(name, recursive) for obj in _parse(source, text)
    ]
    if not objects:
        raise Failure("error: no objects passed to apply")
    return objects


def _sources(name: str, recursive: bool) -> Iterator[tuple[str, str]]:
    if name == "-":
        yield "STDIN", sys.stdin.read()
    elif name.startswith(("http://", "https://")):
        yield name, _download(name)
    else:
        path = pathlib.Path(name)
        if not path.exists():
            raise Failure(f'error: the path "{name}" does not exist')
        pattern = "**/*" if recursive else "*"
        files = sorted(path.glob(pattern)) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and (not path.is_dir() or file.suffix in (".yaml", ".yml", ".json")):
                yield str(file), file.read_text()


def _download(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=URL_TIMEOUT_SECONDS) as response:
            content: bytes = response.read()
            return content.decode()
    except urllib.error.HTTPError as error:
        raise Failure(
            f'error: unable to read URL "{url}", server reported {error.code} {error.reason}'
        ) from error
    except (urllib.error.URLError, OSError) as error:
        raise Failure(f'error: unable to read URL "{url}": {getattr(error, "reason", error)}') from error


def _parse(source: str, text: str) -> Iterator[Object]:
    try:
        documents = list(yaml.load_all(text, Loader=_TextLoader))
    except yaml.YAMLError as error:
        raise Failure(f"error: error parsing {source}: {error}") from error
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            raise Failure(f"error: error validating {source}: an object needs apiVersion and kind")
        if str(document["kind"]).endswith("List") and isinstance(document.get("items"), list):
            yield from document["items"]
        else:
            yield document
