"""Makes two runs of one scenario comparable: what differs from run to run becomes what it stands for.

UIDs, resource versions and made-up names are numbered by their first appearance in a scenario, so a write that bumps a
version without reason shows. Times and ages vanish unless a request named them. Recordings and answers go through the
same code; the wording of table columns' descriptions is prose, which every server has its own, and is left out.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T| )\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000 UTC|[+-]\d\d:\d\d)")
_VOLUME: Final = re.compile(r"(kube-api-access-)([a-z0-9]{5})\b")
_POINTER: Final = re.compile(r"0xc[0-9a-f]{6,}")
_GO_TIME: Final = re.compile(r"time\.Date\([^)]*\)")
_VERSION_IN_TEXT: Final = re.compile(
    r"(ResourceVersion in precondition: |ResourceVersion in object meta: |current: |resource version: |\(current )(\d+)"
)
_RECORD_VERSION: Final = re.compile(r"(does not match the ResourceVersion in record )\(\d+\)")
_TOO_OLD: Final = re.compile(r"(too old resource version: \d+ )\(\d+\)")
_EMBEDDED_VERSION: Final = re.compile(r'(resourceVersion\\*":\\*"|ResourceVersion:\\*")\d+')
_LITERAL_VERSIONS: Final = frozenset({"0", "1", "99999999999"})
_AGES: Final = frozenset({"Age", "TimeAdded", "Last Seen", "First Seen", "Completed"})
_NO_AGE: Final = frozenset({"", "<none>", "<unknown>"})
_HUNK: Final = re.compile(r"@@ -\d+,(\d+) \+\d+,(\d+) @@")
_SUFFIX: Final = 5
_LONGEST_BASE: Final = 58


def is_openshift(source: Any) -> bool:
    """Whether a projected volume's source is the one that only OpenShift adds."""
    config_map = source.get("configMap") if isinstance(source, Mapping) else None
    return isinstance(config_map, Mapping) and config_map.get("name") == "openshift-service-ca.crt"


def without_lines(text: str) -> str:
    """Leaves out at which line a hunk of a diff begins: recorded pods have the source of `is_openshift` above it."""
    return _HUNK.sub(r"@@ -<line>,\1 +<line>,\2 @@", text)


class Normalizer:
    """The tables of one scenario. Feed it every answer, in order, first `notice`, then `value`."""

    def __init__(self, token: str, namespace: str, sent: str, *, keeps_owners: bool) -> None:
        """`sent`: all requests as text; UIDs and times named there stay as they are."""
        self._token = token
        self._namespace = namespace
        self._sent_uids = frozenset(UUID.findall(sent))
        self._sent_times = frozenset(TIME.findall(sent))
        self._keeps_owners = keeps_owners
        self._uids: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._suffixes: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._columns: list[str] = []

    def notice(self, value: Any) -> None:
        """Learn the made-up names in an answer."""
        if isinstance(value, Mapping):
            self._notice_name(value.get("generateName"), value.get("name"))
            for key in sorted(value):
                self.notice(value[key])
        elif isinstance(value, list):
            for item in value:
                self.notice(item)

    def _notice_name(self, base: Any, name: Any) -> None:
        if not isinstance(base, str) or not isinstance(name, str) or not base or name in self._names:
            return
        stem, suffix = name[:-_SUFFIX], name[-_SUFFIX:]
        if stem and stem == base[:_LONGEST_BASE]:
            self._names[name] = f"{stem}<name:{self._numbered(self._suffixes, suffix)}>"

    def value(self, value: Any, key: str = "", *, in_list_metadata: bool = False) -> Any:
        if isinstance(value, str):
            return self._string(value, key, in_list_metadata)
        if isinstance(value, list):
            if key == "sources":
                value = [item for item in value if not is_openshift(item)]
            return [self.value(item, key) for item in value]
        if isinstance(value, Mapping):
            return self._object(value, in_list_metadata)
        return value

    def text(self, text: str) -> str:
        for name, shown in self._names.items():
            text = text.replace(name, shown)
        text = text.replace(self._namespace, "<ns>").replace(self._token, "<u>")
        text = UUID.sub(self._uid, text)
        text = TIME.sub(lambda found: found[0] if found[0] in self._sent_times else "<time>", text)
        text = _VOLUME.sub(lambda found: f"{found[1]}<name:{self._numbered(self._suffixes, found[2])}>", text)
        text = _VERSION_IN_TEXT.sub(lambda found: found[1] + self._version_in_text(found[2]), text)
        text = _RECORD_VERSION.sub(r"\1(<rv>)", _EMBEDDED_VERSION.sub(r"\1<rv>", text))
        return _POINTER.sub("<ptr>", _GO_TIME.sub("<time>", _TOO_OLD.sub(r"\1(<rv>)", text)))

    def _uid(self, found: re.Match[str]) -> str:
        uid = found[0]
        return uid if uid in self._sent_uids else f"<uid:{self._numbered(self._uids, uid)}>"

    def _version_in_text(self, version: str) -> str:
        if version in self._versions:
            return f"<rv:{self._versions[version]}>"
        return version if version in _LITERAL_VERSIONS else "<rv>"

    def _string(self, value: str, key: str, in_list_metadata: bool) -> str:
        if key == "resourceVersion" and value.isdigit() and value != "0":
            if in_list_metadata:
                return "<listrv>"
            return f"<rv:{self._numbered(self._versions, value)}>"
        if key == "continue" and value:
            return "<continue>"
        return "<hash>" if key == "storageVersionHash" else without_lines(self.text(value))

    def _object(self, value: Mapping[str, Any], in_list_metadata: bool) -> dict[str, Any]:
        kind = str(value.get("kind", ""))
        if kind == "Table" and "rows" in value:
            value = self._table(value)
        is_list = "items" in value or kind == "Table" or kind.endswith("List")
        found: dict[str, Any] = {}
        for key in sorted(value):
            item = value[key]
            if key == "managedFields" and not self._keeps_owners and isinstance(item, list):
                continue
            if key == "metadata" and is_list and isinstance(item, Mapping):
                found[key] = {
                    name: self.value(item[name], name, in_list_metadata=True) for name in sorted(item)
                }
            else:
                found[self.text(key)] = self.value(item, key, in_list_metadata=in_list_metadata)
        return found

    def _table(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """Without ages and descriptions. Later tables of a watch do not name their columns again."""
        definitions = table.get("columnDefinitions")
        if definitions:
            self._columns = [column["name"] for column in definitions]
            definitions = [
                {key: item for key, item in column.items() if key != "description"} for column in definitions
            ]
        rows = table["rows"]
        if rows:
            rows = [{**row, "cells": self._cells(row["cells"])} for row in rows]
        return {**table, "columnDefinitions": definitions, "rows": rows}

    def _cells(self, cells: Iterable[Any]) -> list[Any]:
        names = [*self._columns, *[""] * 50]
        return [
            "<age>" if name in _AGES and cell not in _NO_AGE else cell
            for name, cell in zip(names, cells, strict=False)
        ]

    @staticmethod
    def _numbered(table: dict[str, int], key: str) -> int:
        return table.setdefault(key, len(table) + 1)
