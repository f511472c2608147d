"""Which path a proxied request has at its backend, and how links lead back: as kube-apiserver 1.36.2 answered."""

import pytest

from dray.api import errors
from dray.apiserver.http.proxy.headers import guessed_type
from dray.apiserver.http.proxy.paths import WayBack, check_location, proxy_path
from dray.apiserver.http.proxy.targets import Name, is_local, is_routed, parse_name

BASE = "/api/v1/namespaces/px/pods/web/proxy"


@pytest.mark.parametrize(
    ("below", "sent", "forwarded"),
    [
        ("", "/", f"{BASE}/"),
        ("/", "/", f"{BASE}/"),
        ("//a", "/a", f"{BASE}/a"),
        ("/a/", "/a/", f"{BASE}/a/"),
        ("/a/../b", "/b", f"{BASE}/b"),
        ("/../x", "/x", "/api/v1/namespaces/px/pods/web/x"),
        ("/%2e%2e/x", "/x", "/api/v1/namespaces/px/pods/web/x"),
        ("/..", "/", "/api/v1/namespaces/px/pods/web/"),
        ("/a//b", "/a/b", f"{BASE}/a/b/a/b"),
        ("/a%2Fb", "/a/b", f"{BASE}/a/b"),
        ("/a%20b", "/a%20b", f"{BASE}/a%20b"),
        ("/a+b%2B", "/a+b+", f"{BASE}/a+b+"),
        ("/%C3%A9", "/%C3%A9", f"{BASE}/%C3%A9"),
        ("/a%3Fb%23", "/a%3Fb%23", f"{BASE}/a%3Fb%23"),
        ("/a;b=c,d:e@f$g&h!i'j(k)*l", "/a;b=c,d:e@f$g&h%21i%27j%28k%29%2Al", None),
        ("/a%00b", "/a%00b", f"{BASE}/a%00b"),
    ],
)
def test_the_backend_gets_what_follows_proxy_without_dots(
    below: str, sent: str, forwarded: str | None
) -> None:
    path = proxy_path(BASE + below, before=7)
    assert path.sent == sent
    assert path.forwarded == (forwarded or BASE + sent)


def test_admission_sees_the_path_that_was_named() -> None:
    assert proxy_path("/api/v1/nodes/n/proxy", before=5).named == b""
    assert proxy_path("/api/v1/nodes/n/proxy/", before=5).named == b"/"
    assert proxy_path("/api/v1/nodes/n/proxy/a/../b", before=5).named == b"/a/../b"


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/a", f"{BASE}/a"),
        ("/a/", f"{BASE}/a/"),
        ("/", f"{BASE}/"),
        ("/a//b", f"{BASE}/a/b"),
        ("/a%2Fb/%41?x=1#z", f"{BASE}/a/b/A?x=1#z"),
        ("a/b", "a/b"),
        ("?q=1", "?q=1"),
        ("http://192.0.2.2:80/x", f"{BASE}/x"),
        ("//192.0.2.2:80/x", f"{BASE}/x"),
        ("http://asked:99/x", f"http://asked:99{BASE}/x"),
        ("http://other/x", "http://other/x"),
        (f"{BASE}/a", f"{BASE}/a"),
    ],
)
def test_a_url_of_the_backends_leads_through_the_proxy(location: str, shown: str) -> None:
    back = WayBack(proxy_path(f"{BASE}/redir", before=7), "192.0.2.2:80", "asked:99")
    assert back.shown(location) == shown


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("%zz", 'parse "%zz": invalid URL escape "%zz"'),
        (":bad", 'parse ":bad": missing protocol scheme'),
    ],
)
def test_a_redirection_to_nowhere_is_an_error(location: str, why: str) -> None:
    with pytest.raises(errors.InternalError) as raised:
        check_location(location)
    text = f"error trying to parse Location header: {why}"
    assert raised.value.status["message"] == f"Internal error occurred: {text}"
    assert raised.value.status["details"] == {"causes": [{"message": text}]}


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"none", "text/plain; charset=utf-8"),
        (b"", "text/plain; charset=utf-8"),
        (b"<html><p>hi", "text/html; charset=utf-8"),
        (b"\n <!DOCTYPE html>", "text/html; charset=utf-8"),
        (b"\x00\x01", "application/octet-stream"),
    ],
)
def test_a_body_without_a_type_is_given_one(data: bytes, media_type: str) -> None:
    assert guessed_type(data) == media_type


@pytest.mark.parametrize(
    ("address", "routed", "local"),
    [
        ("192.0.2.1", True, False),
        ("10.0.0.1", True, False),
        ("fd00::1", True, False),
        ("127.64.0.1", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:192.0.2.1", True, False),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("", False, False),
        ("example.com", False, False),
    ],
)
def test_only_addresses_of_one_machine_on_a_network_are_reached(
    address: str, routed: bool, local: bool
) -> None:
    assert (is_routed(address), is_local(address)) == (routed, local)


def test_names_are_split_at_colons() -> None:
    assert parse_name("web", "pod") == Name("", "web", "")
    assert parse_name("web:http", "pod") == Name("", "web", "http")
    assert parse_name(":web:80", "pod") == Name("", "web", "80")
    assert parse_name("https:web:", "pod") == Name("https", "web", "")
    for text in ("", ":80", "ftp:web:80", "a:b:c:d", "http::80"):
        with pytest.raises(errors.BadRequest):
            parse_name(text, "pod")
