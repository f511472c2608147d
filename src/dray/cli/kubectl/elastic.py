"""Elastic tab stops: cells ended by tabs are aligned with those of the neighbouring lines, as Go's tabwriter does.

A column is a run of consecutive lines that have a cell there; its width is that of its widest cell plus two blanks. The
text after a line's last tab is not part of any column.
"""

PADDING = 2


def align(lines: list[str]) -> str:
    """The lines as one text, each ended by a newline."""
    rows = [line.split("\t") for line in lines]
    _pad(rows, 0, len(rows), 0)
    return "".join("".join(row) + "\n" for row in rows)


def _pad(rows: list[list[str]], start: int, end: int, column: int) -> None:
    line = start
    while line < end:
        if len(rows[line]) - 1 <= column:
            line += 1
            continue
        stop = line
        while stop < end and len(rows[stop]) - 1 > column:
            stop += 1
        width = max(len(row[column]) for row in rows[line:stop]) + PADDING
        for row in rows[line:stop]:
            row[column] = row[column].ljust(width)
        _pad(rows, line, stop, column + 1)
        line = stop
