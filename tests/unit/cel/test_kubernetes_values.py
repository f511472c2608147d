"""Quantities, versions, URLs, addresses, networks and named formats."""

import pytest
from evaluation import failure_of, refusal_of, shown, value_of

TRUE = [
    'quantity("1Gi").compareTo(quantity("1024Mi")) == 0',
    'quantity("1500m").isGreaterThan(quantity("1"))',
    'quantity("1e3").isLessThan(quantity("1Ki"))',
    'quantity("2").add(quantity("3")).asInteger() == 5',
    'quantity("2").sub(3).asInteger() == -1',
    'sign(quantity("-1")) == -1',
    'quantity("0.5").asApproximateFloat() == 0.5',
    '!quantity("0.5").isInteger()',
    '!isQuantity("1.2.3Gi") && isQuantity("1Gi")',
    'quantity("1").add(1) == quantity("1").add(1)',
    'semver("1.2.3").isLessThan(semver("1.10.0"))',
    'semver("1.0.0-rc.1").isLessThan(semver("1.0.0"))',
    'semver("1.0.0+a") == semver("1.0.0+a")',
    'semver("v1.2", true).compareTo(semver("1.2.0")) == 0',
    '!isSemver("v1.2") && isSemver("v1.2", true)',
    'semver("1.2.3").major() + semver("1.2.3").minor() + semver("1.2.3").patch() == 6',
    'url("https://u:p@h.com:80/a%20b?x=1&x=2#f").getHost() == "h.com:80"',
    'url("https://h.com:80/").getPort() == "80"',
    'url("http://[::1]:8080/").getHostname() == "::1"',
    'url("/a?x=1&x=2").getQuery()["x"] == ["1", "2"]',
    'url("/a%20b").getEscapedPath() == "/a%20b"',
    '!isURL("a b") && isURL("/a")',
    'ip("10.0.0.1").family() == 4 && ip("::1").family() == 6',
    'ip("127.0.0.1").isLoopback() && ip("169.254.0.1").isLinkLocalUnicast()',
    'ip("8.8.8.8").isGlobalUnicast() && !ip("224.0.0.1").isGlobalUnicast()',
    'ip.isCanonical("::1") && !ip.isCanonical("0:0::1")',
    'string(ip("0:0::1")) == "::1"',
    'cidr("10.0.0.0/8").containsIP("10.1.2.3")',
    'cidr("10.0.0.0/8").containsCIDR(cidr("10.1.0.0/16"))',
    'cidr("10.1.2.3/8").masked() == cidr("10.0.0.0/8")',
    'cidr("10.0.0.0/8").prefixLength() == 8',
    'format.dns1123Label().validate("a-b") == optional.none()',
    'format.named("uuid").value().validate("x").value().size() == 1',
    '!format.named("nope").hasValue()',
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_kubernetes_value(text: str) -> None:
    assert value_of(text) is True


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('quantity("0.5").asInteger()', "cannot convert value to integer"),
        ('semver("1.2").major()', "No Major.Minor.Patch elements found"),
        ('ip("::ffff:1.2.3.4").family()', 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ('ip("fe80::1%eth0").family()', 'IP address "fe80::1%eth0" with zone value is not allowed'),
        (
            'cidr("10.0.0.0/33").ip()',
            "network address parse error during conversion from string: network address parse error during "
            'conversion from string: netip.ParsePrefix("10.0.0.0/33"): prefix length out of range',
        ),
        ('url("x").getHost()', 'URL parse error during conversion from string: parse "x": invalid URI for request'),
    ],
)  # fmt: skip
def test_kubernetes_value_refuses(text: str, failure: str) -> None:
    assert failure_of(text) == failure


def test_a_quantity_does_not_compare_with_a_number() -> None:
    assert "found no matching overload for '_==_'" in refusal_of('quantity("1") == 1')


def test_an_unhashable_value_cannot_be_a_key() -> None:
    assert "hash of unhashable type cel.Format" in failure_of("{format.uuid(): 1}.size()")


def test_a_quantity_prints_as_written() -> None:
    assert shown('quantity("1500m")') == "1500m"
