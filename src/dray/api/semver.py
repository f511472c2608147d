"""Semantic versions (SemVer 2.0.0), the `version` type of device attributes.

Decides what is a version and which of two is newer. Agrees with blang/semver v4, which Kubernetes uses, down to its
error texts. Build metadata takes no part in comparison, so `1.0.0+a` == `1.0.0+b`.
"""

import functools
import re

from dray.api.fields import quote

_DIGITS = re.compile(r"[0-9]*")
_ALPHANUMERIC = re.compile(r"[0-9A-Za-z-]*")
_MAX_UINT64 = 2**64 - 1

Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


class InvalidSemver(ValueError):
    """The text is no version; `str()` is upstream's message."""


class Semver:
    """An immutable version, ordered, equal and hashed by SemVer precedence.

    `precedence` is the tuple that decides, for callers that compare many.
    """

    __slots__ = ("_text", "major", "minor", "patch", "precedence")

    major: int
    minor: int
    patch: int
    precedence: Precedence

    def __init__(
        self, major: int, minor: int, patch: int, pre: tuple[str, ...] = (), build: tuple[str, ...] = ()
    ) -> None:
        self.major, self.minor, self.patch = major, minor, patch
        self.precedence = (
            major,
            minor,
            patch,
            not pre,
            tuple(_identifier(part) for part in pre),
        )
        text = f"{major}.{minor}.{patch}"
        if pre:
            text += "-" + ".".join(pre)
        if build:
            text += "+" + ".".join(build)
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Semver({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self.precedence == other.precedence if isinstance(other, Semver) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.precedence)

    def __lt__(self, other: "Semver") -> bool:
        return self.precedence < other.precedence

    def __le__(self, other: "Semver") -> bool:
        return self.precedence <= other.precedence

    def __gt__(self, other: "Semver") -> bool:
        return self.precedence > other.precedence

    def __ge__(self, other: "Semver") -> bool:
        return self.precedence >= other.precedence


def _identifier(part: str) -> tuple[bool, int, str]:
    """A pre-release identifier as it sorts: numbers by value and before words, words by ASCII."""
    return (False, int(part), "") if part.isdigit() else (True, 0, part)


_LONGEST_KEPT = 256
"""Characters of a text that is remembered."""


def parse_semver(text: str, *, normalize: bool = False) -> Semver:
    """The version that `text` says. Results are shared and cached.

    With `normalize`, a leading `v` is dropped, missing minor and patch numbers are 0 and leading zeros go.
    Raises InvalidSemver with upstream's message.
    """
    return (_known if len(text) <= _LONGEST_KEPT else _read)(text, normalize)


def _read(text: str, normalize: bool) -> Semver:
    if normalize:
        text = _normalized(text)
    if not text:
        raise InvalidSemver("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise InvalidSemver("No Major.Minor.Patch elements found")
    major = _number(parts[0], "major")
    minor = _number(parts[1], "minor")
    rest, plus, build = parts[2].partition("+")
    patch_text, dash, pre = rest.partition("-")
    patch = _number(patch_text, "patch")
    pre_parts = tuple(_pre_release(part) for part in pre.split(".")) if dash else ()
    build_parts = tuple(_build(part) for part in build.split(".")) if plus else ()
    return Semver(major, minor, patch, pre_parts, build_parts)


_known = functools.lru_cache(maxsize=4096)(_read)


def is_semver(text: str, *, normalize: bool = False) -> bool:
    try:
        parse_semver(text, normalize=normalize)
    except InvalidSemver:
        return False
    return True


def _number(text: str, role: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise InvalidSemver(f"Invalid character(s) found in {role} number {quote(text)}")
    if len(text) > 1 and text[0] == "0":
        raise InvalidSemver(f"{role.capitalize()} number must not contain leading zeroes {quote(text)}")
    return _uint64(text)


def _uint64(text: str) -> int:
    if not text:
        raise InvalidSemver('strconv.ParseUint: parsing "": invalid syntax')
    if len(text) > 20 or int(text) > _MAX_UINT64:
        raise InvalidSemver(f"strconv.ParseUint: parsing {quote(text)}: value out of range")
    return int(text)


def _pre_release(part: str) -> str:
    if not part:
        raise InvalidSemver("Prerelease is empty")
    if _DIGITS.fullmatch(part):
        if len(part) > 1 and part[0] == "0":
            raise InvalidSemver(f"Numeric PreRelease version must not contain leading zeroes {quote(part)}")
        _uint64(part)
    elif not _ALPHANUMERIC.fullmatch(part):
        raise InvalidSemver(f"Invalid character(s) found in prerelease {quote(part)}")
    return part


def _build(part: str) -> str:
    if not part:
        raise InvalidSemver("Build meta data is empty")
    if not _ALPHANUMERIC.fullmatch(part):
        raise InvalidSemver(f"Invalid character(s) found in build meta data {quote(part)}")
    return part


def _normalized(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    parts = [_without_leading_zeros(part) for part in parts]
    if len(parts) < 3:
        if "+" in parts[-1] or "-" in parts[-1]:
            raise InvalidSemver("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _without_leading_zeros(part: str) -> str:
    if len(part) < 2:
        return part
    stripped = part.lstrip("0")
    return stripped if stripped and stripped[0] in "0123456789" else "0" + stripped
