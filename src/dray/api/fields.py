"""Validation findings: where in the object, what kind of error, which value, and why.

`validate_x` functions collect `FieldError`s and never raise; texts and types follow Kubernetes' field package
(the table in its `field.ErrorType`), so that `str(error)` is what users of kubectl see.
"""

import dataclasses
import enum
import json
from typing import Any, Final

from dray.kits import go_json

OMIT: Final = object()
"""Bad value that is not shown at all."""


class Choice(str):
    """A value of one of Go's string types with a name: enumerations, mostly. It is shown as JSON, not as a quoted string."""

    __slots__ = ()


class ErrorType(enum.Enum):
    """The value is the wording; `.reason` is the machine-readable cause."""

    REQUIRED = "Required value"
    INVALID = "Invalid value"
    TYPE_INVALID = "Invalid value "
    NOT_SUPPORTED = "Unsupported value"
    DUPLICATE = "Duplicate value"
    NOT_FOUND = "Not found"
    FORBIDDEN = "Forbidden"
    TOO_LONG = "Too long"
    TOO_MANY = "Too many"
    INTERNAL = "Internal error"

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    ErrorType.REQUIRED: "FieldValueRequired",
    ErrorType.INVALID: "FieldValueInvalid",
    ErrorType.TYPE_INVALID: "FieldValueTypeInvalid",
    ErrorType.NOT_SUPPORTED: "FieldValueNotSupported",
    ErrorType.DUPLICATE: "FieldValueDuplicate",
    ErrorType.NOT_FOUND: "FieldValueNotFound",
    ErrorType.FORBIDDEN: "FieldValueForbidden",
    ErrorType.TOO_LONG: "FieldValueTooLong",
    ErrorType.TOO_MANY: "FieldValueTooMany",
    ErrorType.INTERNAL: "InternalError",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """A place in an object, printed as Kubernetes prints it: `spec.devices.requests[0].exactly`."""

    text: str = ""

    def child(self, *names: str) -> "Path":
        text = self.text
        for name in names:
            text = f"{text}.{name}" if text else name
        return Path(text)

    def index(self, index: int) -> "Path":
        return Path(f"{self.text}[{index}]")

    def key(self, key: str) -> "Path":
        return Path(f"{self.text}[{key}]")

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True, slots=True)
class FieldError:
    type: ErrorType
    field: str
    bad_value: Any = OMIT
    detail: str = ""

    @property
    def body(self) -> str:
        """The text without the field: `Invalid value: "x": must be ...`."""
        head = self.type.value.strip()
        if self.type not in _VALUELESS and self.bad_value is not OMIT:
            head += f": {show(self.bad_value)}"
        return f"{head}: {self.detail}" if self.detail else head

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"


_VALUELESS = {ErrorType.REQUIRED, ErrorType.FORBIDDEN, ErrorType.TOO_LONG, ErrorType.INTERNAL}


def show(value: Any) -> str:
    """A value as Go's field package prints it: strings quoted, the rest as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str) and not isinstance(value, Choice):
        return quote(value)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return go_json.escaped_text(text)


def quote(text: str) -> str:
    """Go's %q for a string."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    escapes = {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\t": "\\t",
        "\r": "\\r",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
    shown = []
    for char in text:
        if char in escapes:
            shown.append(escapes[char])
        elif char.isprintable():
            shown.append(char)
        elif ord(char) < 0x80:
            shown.append(f"\\x{ord(char):02x}")
        elif ord(char) < 0x10000:
            shown.append(f"\\u{ord(char):04x}")
        else:
            shown.append(f"\\U{ord(char):08x}")
    return '"' + "".join(shown) + '"'


def required(path: Path, detail: str = "") -> FieldError:
    return FieldError(ErrorType.REQUIRED, str(path), OMIT, detail)


def invalid(path: Path, value: Any, detail: str) -> FieldError:
    return FieldError(ErrorType.INVALID, str(path), value, detail)


def not_supported(
    path: Path,
    value: Any,
    supported: "list[str] | tuple[str, ...]",
    *,
    in_order: bool = False,
    is_plain: bool = False,
) -> FieldError:
    """`supported` is shown quoted, and sorted unless `in_order` keeps the order given. `is_plain`: no enumeration in Go."""
    choices = ", ".join(quote(choice) for choice in (supported if in_order else sorted(supported)))
    shown = Choice(value) if isinstance(value, str) and not is_plain else value
    return FieldError(
        ErrorType.NOT_SUPPORTED, str(path), shown, f"supported values: {choices}" if choices else ""
    )


def duplicate(path: Path, value: Any) -> FieldError:
    return FieldError(ErrorType.DUPLICATE, str(path), value)


def not_found(path: Path, value: Any, detail: str = "") -> FieldError:
    return FieldError(ErrorType.NOT_FOUND, str(path), value, detail)


def forbidden(path: Path, detail: str) -> FieldError:
    return FieldError(ErrorType.FORBIDDEN, str(path), OMIT, detail)


def too_long(path: Path, max_length: int, unit: str = "bytes") -> FieldError:
    return FieldError(ErrorType.TOO_LONG, str(path), OMIT, f"may not be more than {max_length} {unit}")


def too_many(path: Path, actual: int, max_items: int) -> FieldError:
    noun = "item" if max_items == 1 else "items"
    return FieldError(ErrorType.TOO_MANY, str(path), actual, f"must have at most {max_items} {noun}")


def internal(path: Path, detail: str) -> FieldError:
    return FieldError(ErrorType.INTERNAL, str(path), OMIT, detail)
