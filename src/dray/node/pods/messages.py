"""The termination message of a container: what it wrote into its file, else the end of its log if it asked for that."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dray.node.runtime.protocol import Container

FILE_LIMIT: Final = 4096
LOG_LIMIT: Final = 2048
LOG_LINES: Final = 80


def termination_message(container: Container, spec: Mapping[str, Any]) -> str:
    text = _read(container.termination_log)
    if text or spec.get("terminationMessagePolicy") != "FallbackToLogsOnError" or container.exit_code == 0:
        return text
    return _log_end(container.log_path)


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return file.read(FILE_LIMIT).decode(errors="replace")
    except OSError:
        return ""


def _log_end(path: Path) -> str:
    with contextlib.suppress(OSError):
        records = path.read_bytes().splitlines()[-LOG_LINES:]
        lines = [record.split(b" ", 3)[3] for record in records if record.count(b" ") >= 3]
        return b"\n".join([*lines, b""])[-LOG_LIMIT:].decode(errors="replace")
    return ""
