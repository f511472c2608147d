"""Log lines as Kubernetes components write them: klog text, or one JSON object a line.

    I1123 05:06:05.601143       1 service.py:90] "Preparing claim" uid="30e0a092-..." namespace="team-a"

A record made with `extra=kv(...)` is structured: its message is quoted and the fields follow as key=value. Any other
record is plain text after the bracket, as klog's Infof writes it. Decides only the form of lines; who logs what, and
where lines go, is not its business.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Any, Final

_FIELDS: Final = "kv"
_DEBUG_VERBOSITY: Final = 4
_LETTERS: Final = ((logging.CRITICAL, "F"), (logging.ERROR, "E"), (logging.WARNING, "W"))


def level_of(verbosity: int) -> int:
    """The level of `logging` for klog's V: below 4 all is INFO, 4 is DEBUG, and each one above is a level lower."""
    return (
        logging.INFO if verbosity < _DEBUG_VERBOSITY else max(logging.DEBUG + _DEBUG_VERBOSITY - verbosity, 1)
    )


def _verbosity_of(level: int) -> int:
    return 0 if level >= logging.INFO else max(logging.DEBUG - level, 0) + _DEBUG_VERBOSITY


def kv(**fields: Any) -> dict[str, Any]:
    """What to pass as `extra=` to make a record structured: `log.info("Preparing claim", extra=kv(uid=uid))`."""
    return {_FIELDS: fields}


class KlogFormatter(logging.Formatter):
    """klog's text format, with the process id where klog prints the thread id."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.localtime(record.created)
        micros = int(record.created % 1 * 1_000_000)
        line = (
            f"{_letter(record.levelno)}{time.strftime('%m%d %H:%M:%S', moment)}.{micros:06d} "
            f"{os.getpid():7d} {record.filename}:{record.lineno}] {_text(record)}"
        )
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """The JSON format of Kubernetes components: ts in milliseconds, v as in klog, errors as `err`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "ts": round(record.created * 1000, 3),
            "caller": f"{record.filename}:{record.lineno}",
            "msg": record.getMessage(),
        }
        if record.levelno < logging.WARNING:
            entry["v"] = _verbosity_of(record.levelno)
        entry.update(getattr(record, _FIELDS, {}))
        if record.exc_info:
            entry["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure(*, json_format: bool = False, level: int = logging.INFO) -> None:
    """Send all records of the process to stderr in one of the two formats."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if json_format else KlogFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _letter(level: int) -> str:
    return next((letter for floor, letter in _LETTERS if level >= floor), "I")


def _text(record: logging.LogRecord) -> str:
    message = record.getMessage()
    fields: Mapping[str, Any] | None = getattr(record, _FIELDS, None)
    if fields is None:
        return message
    return " ".join([_quote(message), *(f"{key}={_value(value)}" for key, value in fields.items())])


def _value(value: Any) -> str:
    if isinstance(value, BaseException):
        value = str(value) or type(value).__name__
    if isinstance(value, str):
        return _block(value) if "\n" in value else _quote(value)
    return json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _block(text: str) -> str:
    """Text of several lines, set between `<` and `>` with each line indented by a tab."""
    lines = "".join(f"\n\t{line}" for line in text.rstrip("\n").split("\n"))
    return f"<{lines}\n >"
