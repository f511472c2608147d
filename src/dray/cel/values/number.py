"""Numbers of CEL: checked 64-bit arithmetic, and how Go prints doubles.

A CEL `int` is a Python int, a `uint` a `Uint`, a `double` a float. Results out of range are failures, never wrapped.
"""

import math
from decimal import Decimal

from dray.cel.errors import EvalFailure
from dray.cel.values.uint import Uint

MAX_INT = 2**63 - 1
MIN_INT = -(2**63)
MAX_UINT = 2**64 - 1


def checked_int(value: int) -> int:
    """`value` as an int. Raises EvalFailure where it does not fit 64 bits."""
    if MIN_INT <= value <= MAX_INT:
        return value
    raise EvalFailure("integer overflow")


def checked_uint(value: int) -> Uint:
    """`value` as a uint. Raises EvalFailure where it does not fit 64 bits."""
    if 0 <= value <= MAX_UINT:
        return Uint(value)
    raise EvalFailure("unsigned integer overflow")


def divide_int(dividend: int, divisor: int) -> int:
    """Division that truncates towards zero."""
    if divisor == 0:
        raise EvalFailure("division by zero")
    quotient = abs(dividend) // abs(divisor)
    return checked_int(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def divide_uint(dividend: Uint, divisor: Uint) -> Uint:
    if divisor == 0:
        raise EvalFailure("division by zero")
    return Uint(int(dividend) // int(divisor))


def modulo_int(dividend: int, divisor: int) -> int:
    """The remainder of truncating division: it has the sign of the dividend."""
    if divisor == 0:
        raise EvalFailure("modulus by zero")
    if dividend == MIN_INT and divisor == -1:
        raise EvalFailure("integer overflow")
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def divide_double(dividend: float, divisor: float) -> float:
    """IEEE division: x/0 is infinite or NaN."""
    if divisor:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def int_of_double(value: float) -> int:
    """Towards zero. Raises EvalFailure out of range; like upstream, the two extreme values count as out of range."""
    if math.isnan(value) or not float(MIN_INT) < value < float(MAX_INT):
        raise EvalFailure("integer overflow")
    return int(value)


def uint_of_double(value: float) -> Uint:
    if math.isnan(value) or not 0 <= value < float(MAX_UINT):
        raise EvalFailure("unsigned integer overflow")
    return Uint(int(value))


def shortest(value: float) -> str:
    """Go's %g with the shortest digits that read back: `1`, `0.5`, `1e+06`, `1.5e-07`, `+Inf`."""
    special = _special(value)
    if special:
        return special
    sign, digits, exponent = _digits(value)
    point = len(digits) + exponent
    if -4 <= point - 1 < 6:
        return sign + _fixed(digits, exponent)
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if point < 1 else '+'}{abs(point - 1):02d}"


def plain(value: float) -> str:
    """Go's %f with the shortest digits that read back: never an exponent."""
    special = _special(value)
    if special:
        return special
    sign, digits, exponent = _digits(value)
    return sign + _fixed(digits, exponent)


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return ""


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, significant digits without trailing zeros, and the power of ten of the last one."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped:
        return "-" if sign else "", "0", 0
    return "-" if sign else "", stripped, exponent + len(text) - len(stripped)


def _fixed(digits: str, exponent: int) -> str:
    if exponent >= 0:
        return digits + "0" * exponent
    point = len(digits) + exponent
    if point > 0:
        return f"{digits[:point]}.{digits[point:]}"
    return f"0.{'0' * -point}{digits}"
