"""Warnings fit into the headers of an answer, whoever has something to say."""

from dray.apiserver.http.responses import LONGEST_WARNING, LONGEST_WARNINGS, answer, bounded


def test_what_fits_is_told_as_it_is_and_once() -> None:
    long = "x" * (LONGEST_WARNINGS - 1)
    assert bounded(["a", long, "", "a"]) == ["a", long]


def test_what_does_not_fit_is_cut_short() -> None:
    assert bounded(["a" * 300, "b" * LONGEST_WARNINGS]) == ["a" * LONGEST_WARNING, "b" * LONGEST_WARNING]


def test_headers_stay_small_whatever_is_said() -> None:
    said = answer(b"{}", warnings=[f"{number}" * 500 for number in range(10_000)])
    headers = said.headers.getall("Warning")
    assert 0 < sum(map(len, headers)) < LONGEST_WARNINGS + LONGEST_WARNING + 20 * len(headers)
