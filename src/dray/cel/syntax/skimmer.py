"""Finds the first fault in what is selected from a number: `-5.foo(1 + )`.

Hardly anybody writes that; but where somebody does, both readings of the sign stay open until the selection ends, and a
fault within it is reported from the sign on.
"""

from dray.cel.syntax.grammar import (
    EPSILON,
    RULES,
    BackNode,
    ChoiceNode,
    LoopNode,
    Node,
    OptionalNode,
    RuleNode,
    TokenNode,
    next_tokens,
)
from dray.cel.syntax.lexer import Token
from dray.cel.syntax.tokens import TokenSource


class _Fault(Exception):
    def __init__(self, token: Token) -> None:
        super().__init__(token.text)
        self.token = token


class Skimmer:
    """Reads ahead without building anything."""

    __slots__ = ("_place", "_tokens")

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens
        self._place = 1

    def fault_after_number(self, place: int) -> Token | None:
        """The first token that cannot follow, from the `place`-th on, or None if the selection ends well."""
        self._place = place
        loop = RULES["member"].next
        assert isinstance(loop, LoopNode)
        try:
            while self._kind() in (".", "["):
                self._read(loop.body, loop.back)
        except _Fault as fault:
            return fault.token
        return None

    def _kind(self) -> str:
        return self._tokens.kind(self._place)

    def _read(self, node: Node | None, until: Node | None = None) -> None:
        while node is not until and node is not None:
            match node:
                case TokenNode():
                    if self._kind() not in node.kinds:
                        raise _Fault(self._tokens.look(self._place))
                    self._place += 1
                    node = node.next
                case RuleNode():
                    self._read(RULES[node.rule])
                    node = node.next
                case OptionalNode() | LoopNode():
                    node = node.body if self._kind() in next_tokens(node.body) else node.next
                case BackNode():
                    node = node.loop.body if self._enters(node.loop.body) else node.next
                case ChoiceNode():
                    node = self._choose(node)
                case _:
                    node = node.next

    def _enters(self, body: Node | None) -> bool:
        """Whether another turn begins; a trailing comma begins none."""
        if self._kind() != ",":
            return self._kind() in next_tokens(body)
        assert body is not None
        return self._tokens.kind(self._place + 1) in next_tokens(body.next)

    def _choose(self, node: ChoiceNode) -> Node | None:
        """An alternative that begins with what comes; of several, the one that goes on longest."""
        fitting = [start for start in node.alternatives if self._kind() in next_tokens(start)]
        if not fitting:
            raise _Fault(self._tokens.look(self._place))
        best, furthest = fitting[0], -1
        for start in fitting if len(fitting) > 1 else ():
            reach = self._reach(start)
            if reach > furthest:
                best, furthest = start, reach
        return best

    def _reach(self, node: Node | None) -> int:
        """How many tokens an alternative takes before the next rule or choice is entered."""
        place = self._place
        while isinstance(node, Node):
            if isinstance(node, TokenNode):
                if self._tokens.kind(place) not in node.kinds:
                    return -1
                place += 1
            elif isinstance(node, OptionalNode | LoopNode) and self._tokens.kind(place) in next_tokens(
                node.body
            ):
                node = node.body
                continue
            elif isinstance(node, RuleNode):
                fits = {EPSILON, self._tokens.kind(place)} & next_tokens(node)
                return place if fits else -1
            node = node.next
        return place
