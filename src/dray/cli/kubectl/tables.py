"""Server-side Tables as text, laid out as kubectl lays them out: columns as wide as their content, three blanks apart."""

import re
from collections.abc import Sequence

from dray.api.meta import Object
from dray.api.schema.go_text import show

TABLE_ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
GAP = "   "
LEAST_WIDTH = 3


def table_rows(
    table: Object,
    *,
    wide: bool,
    with_namespace: bool,
    with_kind: str = "",
    labels: Sequence[str] = (),
    show_labels: bool = False,
) -> list[list[str]]:
    """Header and rows. `with_kind` prefixes names with `type/`, as kubectl does when it shows several types."""
    columns = table["columnDefinitions"]
    shown = [index for index, column in enumerate(columns) if wide or not column.get("priority")]
    header = [str(columns[index]["name"]).upper() for index in shown]
    rows = [
        _row(
            row,
            shown,
            with_namespace=with_namespace,
            with_kind=with_kind,
            labels=labels,
            show_labels=show_labels,
        )
        for row in table.get("rows") or ()
    ]
    header = (["NAMESPACE"] if with_namespace else []) + header
    header += [label.rpartition("/")[2].upper() for label in labels] + (["LABELS"] if show_labels else [])
    return [header, *rows]


def _row(
    row: Object,
    shown: Sequence[int],
    *,
    with_namespace: bool,
    with_kind: str,
    labels: Sequence[str],
    show_labels: bool,
) -> list[str]:
    meta = (row.get("object") or {}).get("metadata") or {}
    cells = [_cell(row["cells"][index]) for index in shown]
    if with_kind and cells:
        cells[0] = f"{with_kind}/{cells[0]}"
    present = meta.get("labels") or {}
    cells += [present.get(label, "") for label in labels]
    if show_labels:
        cells.append(",".join(f"{key}={value}" for key, value in sorted(present.items())) or "<none>")
    return ([meta.get("namespace", "")] if with_namespace else []) + cells


def _cell(value: object) -> str:
    """kubectl shows only the first line of a text that has several."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return escaped(show(value))
    first = re.split("[\f\n\r]", value, maxsplit=1)
    return escaped(first[0]) + ("..." if len(first) > 1 else "")


def escaped(text: str) -> str:
    """Without what a terminal would take for a command."""
    return text.replace("\x1b", "^[").replace("\r", "\\r")


class Layout:
    """Aligned lines, the last column not padded. Columns keep their widths from one block of rows to the next."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def lines(self, rows: Sequence[Sequence[str]]) -> list[str]:
        if not rows:
            return []
        known = self._widths or [LEAST_WIDTH] * len(rows[0])
        self._widths = [max([width, *(len(row[at]) for row in rows)]) for at, width in enumerate(known)]
        return [
            GAP.join(
                [*(cell.ljust(width) for cell, width in zip(row[:-1], self._widths, strict=False)), row[-1]]
            )
            for row in rows
        ]


def layout(rows: Sequence[Sequence[str]]) -> str:
    """One block of rows as text."""
    return "\n".join(Layout().lines(rows))
