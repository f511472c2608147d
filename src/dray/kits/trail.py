"""An undo log: do steps, remember how to take each back, roll back to a mark.

The one mechanism by which a search returns to an earlier state, so that no rule can forget to undo.
"""

from collections.abc import Callable


class Trail:
    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def mark(self) -> int:
        """A point to roll back to; cheap, and valid until a roll-back past it."""
        return len(self._undo)

    def push(self, undo: Callable[[], object]) -> None:
        """Remember how to take back the step that was just done."""
        self._undo.append(undo)

    def rollback(self, mark: int) -> None:
        """Undo every step since `mark`, newest first."""
        undo = self._undo
        while len(undo) > mark:
            undo.pop()()
