"""What was recognized of a text: a tree with holes where the text was wrong."""

from dray.cel.syntax.lexer import Token


class Tree:
    """One rule. `alternative` says which form of it; parts are kept by the labels of the grammar."""

    __slots__ = ("_parts", "alternative", "rule", "start")

    def __init__(self, rule: str, start: Token) -> None:
        self.rule = rule
        self.start = start
        self.alternative = ""
        self._parts: dict[str, list[Token | Tree]] = {}

    def keep(self, label: str, part: "Token | Tree") -> None:
        self._parts.setdefault(label.removesuffix("+"), []).append(part)

    def tree(self, label: str) -> "Tree | None":
        part = self._last(label)
        return part if isinstance(part, Tree) else None

    def token(self, label: str) -> Token | None:
        part = self._last(label)
        return part if isinstance(part, Token) else None

    def _last(self, label: str) -> "Token | Tree | None":
        parts = self._parts.get(label)
        return parts[-1] if parts else None

    def trees(self, label: str) -> "list[Tree]":
        return [part for part in self._parts.get(label, ()) if isinstance(part, Tree)]

    def tokens(self, label: str) -> list[Token]:
        return [part for part in self._parts.get(label, ()) if isinstance(part, Token)]
