"""Log lines in the two formats of Kubernetes components."""

import json
import logging
import os
import re
import sys
from typing import Any

from dray.kits.klog import JsonFormatter, KlogFormatter, kv


def record(message: str, *args: Any, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("dray", level, "/x/service.py", 84, message, args, None)
    made.__dict__.update(extra)
    return made


def text(message: str, *args: Any, **more: Any) -> str:
    return KlogFormatter().format(record(message, *args, **more)).partition("] ")[2]


def test_header_has_level_date_time_process_and_source() -> None:
    line = KlogFormatter().format(record("hello"))
    assert re.fullmatch(rf"I\d{{4}} \d\d:\d\d:\d\d\.\d{{6}} {os.getpid():7d} service\.py:84\] hello", line)


def test_levels_have_their_letters() -> None:
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert "".join(KlogFormatter().format(record("x", level=level))[0] for level in levels) == "IIWEF"


def test_plain_records_are_not_quoted() -> None:
    assert text("NodePrepareResource is called: number of claims: %d", 1) == (
        "NodePrepareResource is called: number of claims: 1"
    )


def test_structured_records_quote_message_and_strings() -> None:
    assert text("Preparing claim", **kv(uid="u", numClaims=1, ok=True, nothing=None)) == (
        '"Preparing claim" uid="u" numClaims=1 ok=true nothing=null'
    )


def test_lists_and_objects_are_json() -> None:
    assert text("x", **kv(devices=[{"Requests": ["a"]}])) == '"x" devices=[{"Requests":["a"]}]'


def test_errors_are_quoted_by_their_text() -> None:
    assert text("x", **kv(err=ValueError('bad "thing"'))) == '"x" err="bad \\"thing\\""'


def test_text_of_several_lines_becomes_a_block() -> None:
    assert text("x", **kv(log="a\nb\n")) == '"x" log=<\n\ta\n\tb\n >'


def test_tracebacks_follow_the_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    assert KlogFormatter().format(made).endswith("ValueError: boom")


def test_json_lines_carry_fields_and_verbosity() -> None:
    line = json.loads(JsonFormatter().format(record("Preparing claim", **kv(uid="u", err=ValueError("no")))))
    assert line.pop("ts") > 0
    assert line == {"caller": "service.py:84", "msg": "Preparing claim", "v": 0, "uid": "u", "err": "no"}
    assert "v" not in json.loads(JsonFormatter().format(record("x", level=logging.ERROR)))
