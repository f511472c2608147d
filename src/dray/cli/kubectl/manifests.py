"""Objects from `-f`: files, directories, standard input, URLs; YAML or JSON, many documents in one."""

import pathlib
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dray.api.meta import Object
from dray.api.schema.yaml_text import BadYaml, from_yaml
from dray.cli.kubectl.session import Failure, refused_connection

URL_TIMEOUT_SECONDS = 30
EXTENSIONS = (".json", ".yaml", ".yml")
_DOCUMENT = re.compile(r"^---.*$", re.MULTILINE)


class Manifest(NamedTuple):
    source: str
    """The file or URL; STDIN."""
    object: Object


def read_manifests(names: Sequence[str], *, recursive: bool = False) -> list[Object]:
    """Every object in the given order; Lists are opened. Raises Failure naming the file and what is wrong with it."""
    return [manifest.object for manifest in read_sources(names, recursive=recursive)]


def read_sources(names: Sequence[str], *, recursive: bool = False) -> list[Manifest]:
    """The same, with where each came from."""
    found = [
        Manifest(source, obj)
        for name in names
        for source, text in _sources(name, recursive)
        for obj in _parse(source, text)
    ]
    if not found:
        raise Failure("error: no objects passed to apply")
    return found


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
        found = [file for file in files if file.is_file() and (file == path or file.suffix in EXTENSIONS)]
        if not found:
            extensions = " ".join(EXTENSIONS)
            raise Failure(f"error: error reading [{name}]: recognized file extensions are [{extensions}]")
        for file in found:
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
        if isinstance(getattr(error, "reason", error), ConnectionRefusedError):
            raise Failure(refused_connection(url)) from error
        raise Failure(f'error: unable to read URL "{url}": {getattr(error, "reason", error)}') from error


def _parse(source: str, text: str) -> Iterator[Object]:
    for part in _DOCUMENT.split(text):
        try:
            document = from_yaml(part.encode())
        except BadYaml as error:
            raise Failure(f"error: error parsing {source}: error converting YAML to JSON: {error}") from error
        if document is None:
            continue
        if missing := _missing(document):
            raise Failure(
                f'error: error validating "{source}": error validating data: {missing}; '
                "if you choose to ignore these errors, turn validation off with --validate=false"
            )
        is_list = document["kind"].endswith("List") and isinstance(document.get("items"), list)
        for obj in document["items"] if is_list else [document]:
            _check_metadata(source, obj)
            yield obj


def _missing(document: object) -> str:
    """What keeps a document from being an object; "" when nothing does."""
    if not isinstance(document, dict):
        return "invalid object to validate"
    if wrong := next(
        (name for name in ("apiVersion", "kind") if not isinstance(document.get(name, ""), str)), ""
    ):
        return f"{wrong} isn't string type"
    absent = [f"{name} not set" for name in ("apiVersion", "kind") if not document.get(name)]
    return absent[0] if len(absent) == 1 else f"[{', '.join(absent)}]" if absent else ""


def _check_metadata(source: str, obj: Object) -> None:
    for field in ("name", "namespace"):
        value = (obj.get("metadata") or {}).get(field)
        if value is not None and not isinstance(value, str):
            kind = {bool: "bool", int: "number", float: "number", list: "array"}.get(type(value), "object")
            raise Failure(
                f'error: unable to decode "{source}": json: cannot unmarshal {kind} into '
                f"Go struct field ObjectMeta.metadata.{field} of type string"
            )
