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
_DOCUMENT = re.compile(rb"^---.*$", re.MULTILINE)


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
        for source, data in _sources(name, recursive)
        for obj in _parse(source, data)
    ]
    if not found:
        raise Failure("error: no objects passed to apply")
    return found


def _sources(name: str, recursive: bool) -> Iterator[tuple[str, bytes]]:
    if name == "-":
        yield "STDIN", sys.stdin.buffer.read()
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
            try:
                yield str(file), file.read_bytes()
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise Failure(f"error: open {file}: {why}") from error


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=URL_TIMEOUT_SECONDS) as response:
            content: bytes = response.read()
            return content
    except urllib.error.HTTPError as error:
        raise Failure(
            f'error: unable to read URL "{url}", server reported {error.code} {error.reason}'
        ) from error
    except (urllib.error.URLError, OSError) as error:
        if isinstance(getattr(error, "reason", error), ConnectionRefusedError):
            raise Failure(refused_connection(url)) from error
        raise Failure(f'error: unable to read URL "{url}": {getattr(error, "reason", error)}') from error


def _parse(source: str, data: bytes) -> Iterator[Object]:
    for part in _DOCUMENT.split(data):
        try:
            document = from_yaml(part)
        except BadYaml as error:
            raise Failure(f"error: error parsing {source}: error converting YAML to JSON: {error}") from error
        if document is None:
            continue
        _check_object(source, document)
        is_list = document["kind"].endswith("List") and isinstance(document.get("items"), list)
        for obj in document["items"] if is_list else [document]:
            _check_object(source, obj)
            _check_metadata(source, obj)
            yield obj


def _check_object(source: str, document: object) -> None:
    """Raises Failure."""
    if missing := _missing(document):
        raise Failure(
            f'error: error validating "{source}": error validating data: {missing}; '
            "if you choose to ignore these errors, turn validation off with --validate=false"
        )


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
    """Raises Failure for what is of another type than metadata have it."""
    meta = obj.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        raise _undecodable(source, meta, "metadataOnlyObject.metadata", "v1.ObjectMeta")
    for field in ("name", "namespace"):
        if not isinstance((meta or {}).get(field), str | None):
            raise _undecodable(source, (meta or {})[field], f"ObjectMeta.metadata.{field}", "string")
    for field in ("labels", "annotations"):
        if not isinstance((meta or {}).get(field), dict | None):
            raise _undecodable(
                source, (meta or {})[field], f"ObjectMeta.metadata.{field}", "map[string]string"
            )


def _undecodable(source: str, value: object, field: str, wanted: str) -> Failure:
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    given = names.get(type(value), "object")
    return Failure(
        f'error: unable to decode "{source}": json: cannot unmarshal {given} into '
        f"Go struct field {field} of type {wanted}"
    )
