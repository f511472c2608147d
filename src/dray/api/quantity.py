"""Kubernetes resource quantities: `80Gi`, `500m`, `1e3`.

Decides how a quantity is read, compared, added and printed; agrees with `resource.Quantity` of apimachinery 1.36.
Knows nothing of resources or of who owns how much.

A value is exact to one billionth (finer fractions are rounded away from zero, as upstream). Two things depend on
*how* a quantity was written, not only on its value, and are kept: the format it prints in, and whether upstream holds
it as a plain 64-bit integer (`as_int64`, which CEL's `isInteger()` and `asInteger()` show).

Refused, unlike upstream: numbers of more than 1024 digits and decimal exponents beyond 1000, since quantities come from
strangers and exact arithmetic on `1e2000000000` would eat the machine. Done right, unlike upstream: values past `E`
and `Ei` keep the largest suffix instead of losing it.
"""

import enum
import functools
import math
import re

_SHAPE = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_SCAN = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")

_MAX_DIGITS = 1024
_MAX_EXPONENT = 1000
_MIN_SCALE = -9
_NANOS = 10**9
_MAX_INT64 = 2**63 - 1
_MULTIPLIED_AT_ONCE = (
    0,
    3,
    6,
)  # scales whose thousandths Kubernetes finds in one multiplication, which may overflow
_INT64_DIGITS = 18  # that many decimal digits always fit


class InvalidQuantity(ValueError):
    """The text is no quantity; `str()` is upstream's message."""


class Format(enum.Enum):
    """The family of suffixes a quantity prints with."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {0: ""} | {exponent: suffix for suffix, exponent in _BINARY.items()}


class Quantity:
    """An immutable quantity; equal and hashed by value, so `1Gi` == `1024Mi`.

    `nanos` is the exact value times 10^9, for callers that compare or sum many.
    """

    __slots__ = ("_scale", "_small", "_text", "_unscaled", "format", "nanos")

    nanos: int
    format: Format

    def __init__(
        self,
        unscaled: int,
        scale: int = 0,
        fmt: Format = Format.DECIMAL_SI,
        *,
        small: bool = True,
        text: str = "",
    ) -> None:
        """`unscaled` x 10^`scale` (scale >= -9). `small`: upstream holds it as int64 x 10^scale."""
        self._unscaled = unscaled
        self._scale = scale
        self._small = small
        self._text = text
        self.format = fmt
        self.nanos = unscaled * 10 ** (scale - _MIN_SCALE)

    @classmethod
    def of(cls, value: int, fmt: Format = Format.DECIMAL_SI) -> "Quantity":
        """A whole number as a quantity."""
        return cls(value, 0, fmt, small=_fits(value))

    def __eq__(self, other: object) -> bool:
        return self.nanos == other.nanos if isinstance(other, Quantity) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __lt__(self, other: "Quantity") -> bool:
        return self.nanos < other.nanos

    def __le__(self, other: "Quantity") -> bool:
        return self.nanos <= other.nanos

    def __gt__(self, other: "Quantity") -> bool:
        return self.nanos > other.nanos

    def __ge__(self, other: "Quantity") -> bool:
        return self.nanos >= other.nanos

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"

    def __str__(self) -> str:
        """The canonical text; a text that upstream considers canonical already is kept as written."""
        if not self._text:
            self._text = _canonical(self)
        return self._text

    def __neg__(self) -> "Quantity":
        return Quantity(-self._unscaled, self._scale, self.format, small=self._small)

    def __add__(self, other: "Quantity") -> "Quantity":
        """The sum, in the format of `self`, or of `other` where `self` is zero."""
        return self._plus(other, other._unscaled)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return self._plus(other, -other._unscaled)

    def _plus(self, other: "Quantity", addend: int) -> "Quantity":
        fmt = self.format if self.nanos else other.format
        small = self._small and other._small
        if small and not addend:
            return Quantity(self._unscaled, self._scale, fmt)
        if small and not self._unscaled:
            return Quantity(addend, other._scale, fmt)
        scale = min(self._scale, other._scale)
        left = self._unscaled * 10 ** (self._scale - scale)
        right = addend * 10 ** (other._scale - scale)
        small = small and _fits(left) and _fits(right) and _fits(left + right)
        return Quantity(left + right, scale, fmt, small=small)

    def sign(self) -> int:
        """-1, 0 or 1."""
        return (self.nanos > 0) - (self.nanos < 0)

    def value(self) -> int:
        """The value as a whole number, rounded away from zero. Exact: does not overflow at 64 bits."""
        return _divide_away(self.nanos, _NANOS)

    def milli_value(self) -> int:
        """The value in thousandths, rounded away from zero."""
        return _divide_away(self.nanos, _NANOS // 1000)

    def as_int64(self) -> int | None:
        """The value where upstream holds it as a whole 64-bit integer, else None.

        By writing, not by value: None for `1.0`, `1Pi` and `1.5Ki` too.
        """
        if not self._small or self._scale < 0:
            return None
        value = self._unscaled * 10**self._scale
        return value if _fits(value) else None

    def is_integer(self) -> bool:
        """Whether `as_int64` has an answer."""
        return self.as_int64() is not None

    def has_whole_thousands(self) -> bool:
        """Whether Kubernetes takes it for a whole number: by its thousandths, of which only 64 bits are looked at.

        Of thousandths that do not fit the low bits count, but of an int64 with most powers of ten none.
        """
        thousandths = self.milli_value()
        if not _fits(thousandths):
            is_lost = self._small and self._scale not in _MULTIPLIED_AT_ONCE
            thousandths = 0 if is_lost else (thousandths + 2**63) % 2**64 - 2**63
        return thousandths % 1000 == 0

    def approximate_float(self) -> float:
        """The nearest float by upstream's arithmetic (mantissa times a power of ten); infinite past the range."""
        try:
            base = float(self._unscaled)
        except OverflowError:
            base = math.copysign(math.inf, self._unscaled)
        if not self._scale:
            return base
        return base * (float(f"1e{self._scale}") if self._scale <= 308 else math.inf)


def parse_quantity(text: str | int | float) -> Quantity:
    """The quantity that `text` says; a JSON number stands for its text. Results are shared and cached.

    Raises InvalidQuantity with upstream's message.
    """
    if isinstance(text, bool):
        raise InvalidQuantity(_wrong_shape())
    return _parse(text if isinstance(text, str) else _json_number(text))


@functools.lru_cache(maxsize=8192)
def _parse(text: str) -> Quantity:
    if text == "0":
        return Quantity(0, text=text)
    scanned = _SCAN.fullmatch(text) if text else None
    if scanned is None:
        raise InvalidQuantity(_wrong_shape())
    sign, num, denom, suffix = scanned.groups(default="")
    base, exponent, fmt = _interpret(suffix)
    num = num or "0"
    if len(num) + len(denom) > _MAX_DIGITS or abs(exponent) > _MAX_EXPONENT:
        raise InvalidQuantity("unable to parse numeric part of quantity")
    small = _parse_small(text, sign, num, denom, (base, exponent, fmt))
    return small or _parse_big(sign, num, denom, (base, exponent, fmt))


_Suffix = tuple[int, int, Format]


def _interpret(suffix: str) -> _Suffix:
    """Base, exponent and format that a suffix stands for."""
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], Format.DECIMAL_SI
    if suffix in _BINARY:
        return 2, _BINARY[suffix], Format.BINARY_SI
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None or len(exponent[1]) > 20:
        raise InvalidQuantity("unable to parse quantity's suffix")
    return 10, int(exponent[1]), Format.DECIMAL_EXPONENT


def _parse_small(text: str, sign: str, num: str, denom: str, suffix: _Suffix) -> Quantity | None:
    """The int64 form, where upstream would choose it; its choice is by digits, not by value."""
    base, exponent, fmt = suffix
    if base == 10:
        if len(num) + len(denom) > _INT64_DIGITS:
            return None
        scale, factor = exponent - len(denom), 1
    else:
        if denom or 15 - len(num) - exponent * 3 // 10 - 1 < 0:
            return None
        scale, factor = 0, 1 << exponent
    digits = num + denom
    value = int(digits) * factor
    if scale < _MIN_SCALE or not _fits(value):
        return None
    if base == 2:
        canonical = int(digits) & 7 != 0
    else:
        canonical = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return Quantity(-value if sign == "-" else value, scale, fmt, text=text if canonical else "")


def _parse_big(sign: str, num: str, denom: str, suffix: _Suffix) -> Quantity:
    """The arbitrary-precision form: rounded away from zero to 10^-9, binary ones capped at 2^63-1."""
    base, exponent, fmt = suffix
    unscaled, scale = int(num + denom), -len(denom)
    if base == 10:
        scale += exponent
    else:
        unscaled <<= exponent
    if scale < _MIN_SCALE:
        unscaled = -(-unscaled // 10 ** (_MIN_SCALE - scale))
    else:
        unscaled *= 10 ** (scale - _MIN_SCALE)
    scale = _MIN_SCALE
    if fmt is Format.BINARY_SI:
        if unscaled > _MAX_INT64 * _NANOS:
            unscaled, scale = _MAX_INT64, 0
        elif 0 < unscaled < _NANOS:
            fmt = Format.DECIMAL_SI
    return Quantity(-unscaled if sign == "-" else unscaled, scale, fmt, small=False)


def _canonical(quantity: Quantity) -> str:
    nanos = quantity.nanos
    if not nanos:
        return "0"
    whole = nanos % _NANOS == 0
    if quantity.format is Format.BINARY_SI and whole and abs(nanos) >= 1024 * _NANOS:
        mantissa, exponent = _reduced(nanos // _NANOS, 1024, 0, 6)
        return f"{mantissa}{_BINARY_SUFFIX[exponent * 10]}"
    exponential = quantity.format is Format.DECIMAL_EXPONENT
    mantissa, exponent = _reduced(nanos, 1000, -3, None if exponential else 6)
    if exponential:
        return f"{mantissa}e{exponent * 3}" if exponent else str(mantissa)
    return f"{mantissa}{_DECIMAL_SUFFIX[exponent * 3]}"


def _reduced(mantissa: int, base: int, exponent: int, largest: int | None) -> tuple[int, int]:
    """Move factors of `base` from a non-zero mantissa into the exponent, up to `largest`."""
    while exponent != largest and mantissa % base == 0:
        mantissa //= base
        exponent += 1
    return mantissa, exponent


def _json_number(number: int | float) -> str:
    if isinstance(number, int):
        if abs(number) >= 10**_MAX_DIGITS:
            raise InvalidQuantity("unable to parse numeric part of quantity")
        return str(number)
    return repr(int(number)) if number.is_integer() and abs(number) < 1e21 else repr(number)


def _wrong_shape() -> str:
    return f"quantities must match the regular expression '{_SHAPE}'"


def _fits(value: int) -> bool:
    return -_MAX_INT64 - 1 <= value <= _MAX_INT64


def _divide_away(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor) if dividend > 0 else dividend // divisor
