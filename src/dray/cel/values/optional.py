"""Values that may be absent: what `a.?b` and `m[?k]` give."""

from typing import Any, Final

from dray.cel.errors import EvalFailure


class Optional:
    """Immutable; `ABSENT` is the one without a value."""

    __slots__ = ("_value", "present")

    def __init__(self, value: Any, *, present: bool = True) -> None:
        self._value = value
        self.present = present

    @property
    def value(self) -> Any:
        """The value. Raises EvalFailure where there is none."""
        if not self.present:
            raise EvalFailure("optional.none() dereference")
        return self._value

    def __hash__(self) -> int:
        return hash((Optional, self._value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Optional):
            return NotImplemented
        return self.present == other.present and bool(self._value == other._value)


ABSENT: Final = Optional(None, present=False)
