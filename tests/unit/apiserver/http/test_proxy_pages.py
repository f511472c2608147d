"""Links of pages that come through a proxy, as kube-apiserver 1.36.2 rewrote them."""

import time

import pytest

from dray.apiserver.http.proxy.pages import LARGEST_PAGE, packed, rewritten, unpacked


def through(url: str) -> str:
    return "/P" + url if url.startswith("/") else url


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        (b'<a href="/abs?q=1#f">A</a>', b'<a href="/P/abs?q=1#f">A</a>'),
        (b"<A HREF='/x'>B</A>", b'<a href="/P/x">B</A>'),
        (b'<img src=/i.png alt="a &amp; b">', b'<img src="/P/i.png" alt="a &amp; b">'),
        (b'<input src="/s"/>', b'<input src="/P/s"/>'),
        (
            b'<script src="/j.js">if (a<b) "<a href=/x>"</script>',
            b'<script src="/P/j.js">if (a<b) "<a href=/x>"</script>',
        ),
        (b'<!-- <a href="/c"> -->', b'<!-- <a href="/c"> -->'),
        (b'&copy; &lt; <p title="/t">\xc3\xa9\xff</p>', b'&copy; &lt; <p title="/t">\xc3\xa9\xff</p>'),
        (b"<input disabled value='\"'>", b'<input disabled="" value="&#34;">'),
        (b"1 < 2 <a href=/x", b"1 < 2 <a href=/x"),
        (b"<!-- open <a href=/x>", b"<!-- open <a href=/x>"),
    ],
)
def test_only_links_of_tags_change(page: bytes, seen: bytes) -> None:
    assert rewritten(page, through) == seen


@pytest.mark.parametrize("piece", [b"<a ", b"<a href='", b"<!", b"<!--", b"<script>", b"a=", b" ", b'<a "'])
def test_no_page_takes_more_than_its_length(piece: bytes) -> None:
    page = piece * (LARGEST_PAGE // len(piece))
    before = time.process_time()
    rewritten(page, through)
    assert time.process_time() - before < 5


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_packed_pages_are_read(encoding: str) -> None:
    assert unpacked(packed(b"page", encoding), encoding) == b"page"


def test_what_unpacks_to_too_much_is_left_alone() -> None:
    assert unpacked(packed(bytes(LARGEST_PAGE + 1), "gzip"), "gzip") is None
    assert unpacked(b"no gzip", "gzip") is None
