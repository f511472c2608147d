"""CDI spec files: read strictly, written so that no runtime ever sees half a file.

Directories are scanned by every container runtime of the machine; a temporary name without .json or .yaml is invisible
to them, and the rename makes the spec appear at once.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dray.cdi.errors import CdiError
from dray.cdi.spec import Spec, validate
from dray.cdi.text import to_yaml

STATIC_DIRECTORY: Final = Path("/etc/cdi")
DYNAMIC_DIRECTORY: Final = Path("/var/run/cdi")
SUFFIXES: Final = (".json", ".yaml")
_FILE_MODE: Final = 0o600


def write_spec(directory: Path, file_name: str, spec: Mapping[str, Any]) -> Path:
    """Write `spec` to `directory`/`file_name` atomically and return the path; `.json` or `.yaml` by the name.

    Raises CdiError for a spec that is not valid and OSError when the directory cannot be written.
    """
    if not file_name.endswith(SUFFIXES):
        raise CdiError(f"{file_name!r} ends neither with .json nor .yaml: no runtime would read it")
    validate(spec)
    text = json.dumps(spec, indent=2) + "\n" if file_name.endswith(".json") else to_yaml(spec)
    path = directory / file_name
    temporary = directory / f"spec.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return path


def remove_spec(directory: Path, file_name: str) -> bool:
    """Remove the file if it is there; whether it was."""
    try:
        (directory / file_name).unlink()
    except FileNotFoundError:
        return False
    return True


def read_spec(path: Path) -> Spec:
    """The valid spec in `path`. Raises CdiError when it is not one and OSError when it cannot be read."""
    text = path.read_text(encoding="utf-8", errors="replace")
    document = _parse(text, path)
    try:
        validate(document)
    except CdiError as error:
        raise CdiError(f"{path}: {error}") from None
    spec: Spec = document
    return spec


def _parse(text: str, path: Path) -> Any:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise CdiError(f"{path}: not JSON: {error}") from None
    import yaml  # only readers of foreign files pay for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        raise CdiError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
