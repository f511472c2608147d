"""Versions read and sort as blang/semver, which Kubernetes uses."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api.semver import InvalidSemver, is_semver, parse_semver

ASCENDING = [
    "0.0.1", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0",
]  # fmt: skip

REFUSED = {
    "": "Version string empty",
    "1": "No Major.Minor.Patch elements found",
    "1.2": "No Major.Minor.Patch elements found",
    "v1.2.3": 'Invalid character(s) found in major number "v1"',
    "1.x.3": 'Invalid character(s) found in minor number "x"',
    "1.2.3.4": 'Invalid character(s) found in patch number "3.4"',
    "01.2.3": 'Major number must not contain leading zeroes "01"',
    "1.02.3": 'Minor number must not contain leading zeroes "02"',
    "1.2.03": 'Patch number must not contain leading zeroes "03"',
    "1.2.3-": "Prerelease is empty",
    "1.2.3-01": 'Numeric PreRelease version must not contain leading zeroes "01"',
    "1.2.3-a_b": 'Invalid character(s) found in prerelease "a_b"',
    "1.2.3+": "Build meta data is empty",
    "1.2.3+ä": 'Invalid character(s) found in build meta data "ä"',
    "1..3": 'strconv.ParseUint: parsing "": invalid syntax',
    "18446744073709551616.0.0": 'strconv.ParseUint: parsing "18446744073709551616": value out of range',
}


def test_precedence_follows_the_specification() -> None:
    versions = [parse_semver(text) for text in ASCENDING]
    shuffled = versions[::-1]
    assert sorted(shuffled) == versions
    assert all(left < right <= right and right > left >= left for left, right in itertools.pairwise(versions))


def test_build_metadata_takes_no_part_in_comparison() -> None:
    assert parse_semver("1.0.0+a") == parse_semver("1.0.0+b")
    assert hash(parse_semver("1.0.0+a")) == hash(parse_semver("1.0.0"))
    assert str(parse_semver("1.0.0-rc.1+a.b")) == "1.0.0-rc.1+a.b"


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_refusal_says_what_upstream_says(text: str, message: str) -> None:
    with pytest.raises(InvalidSemver) as refused:
        parse_semver(text)
    assert str(refused.value) == message
    assert not is_semver(text)


@pytest.mark.parametrize(
    ("loose", "strict"),
    [
        ("v1.2.3", "1.2.3"),
        ("1", "1.0.0"),
        ("v01.02", "1.2.0"),
        ("1.0.0", "1.0.0"),
        ("00.1.0003-rc.1", "0.1.3-rc.1"),
    ],
)
def test_normalizing_repairs_the_usual_forms(loose: str, strict: str) -> None:
    assert str(parse_semver(loose, normalize=True)) == strict


def test_normalizing_refuses_a_short_version_with_metadata() -> None:
    with pytest.raises(InvalidSemver, match="short version cannot contain PreRelease/Build meta data"):
        parse_semver("1.2-rc1", normalize=True)
    assert not is_semver(" 1.2.3", normalize=True)


@given(st.text(alphabet="0123456789.-+abv", max_size=14))
def test_any_text_is_a_version_or_refused(text: str) -> None:
    if is_semver(text):
        assert str(parse_semver(text)) == text
