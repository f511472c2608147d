"""docs/cel.md: its code runs as a reader would run it, and its count of recordings is right."""

import gzip

from blocks import ROOT, run_python

PAGE = "docs/cel.md"


def test_the_examples_of_the_cel_page_run() -> None:
    assert "selector" in run_python(PAGE)


def test_the_cel_page_counts_the_recordings() -> None:
    recorded = sum(
        gzip.decompress(path.read_bytes()).count(b"\n")
        for path in (ROOT / "tests/corpus/cel").glob("*.jsonl.gz")
    )
    assert f"holds {recorded} of them" in (ROOT / PAGE).read_text()
