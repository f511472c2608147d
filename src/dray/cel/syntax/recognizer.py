"""Recognizes a text that does not follow the grammar as far as possible, and says what is wrong with it.

Follows the strategy of the parser generator behind cel-go: a token too many is dropped, a missing one made up, and where
neither helps a rule is given up and input skipped until something that may follow. While recovering, no further complaint
is made until a token matches again.
"""

from typing import NamedTuple

from dray.cel.source import NOWHERE, Complaint
from dray.cel.syntax.decisions import NoWay, choose, continues
from dray.cel.syntax.grammar import (
    EPSILON,
    RECURSIVE,
    RULES,
    BackNode,
    ChoiceNode,
    LoopNode,
    NameNode,
    Node,
    OptionalNode,
    RuleNode,
    TokenNode,
    WrapNode,
    describe,
    first_of,
    is_literal,
    next_tokens,
)
from dray.cel.syntax.lexer import END, Token
from dray.cel.syntax.tokens import TokenSource
from dray.cel.syntax.tree import Tree

_MAX_DEPTH = 250
_MAX_RECOVERIES = 30
_MAX_SKIPPED = 256
_MAX_COMPLAINTS = 100


class Abort(Exception):
    """Recognition ended early; the complaints made so far stand."""


class _Mismatch(Exception):
    """The current token fits nowhere."""


class _Invocation(NamedTuple):
    """A rule being recognized, and where in its caller to go on."""

    rule: str
    after: Node | None


class Recognizer:
    """One pass over one text."""

    __slots__ = (
        "_complained",
        "_depths",
        "_last_error_at",
        "_last_error_states",
        "_recoveries",
        "_recovering",
        "_stack",
        "_state",
        "complaints",
        "tokens",
    )

    def __init__(self, text: str) -> None:
        self.complaints: list[Complaint] = []
        self.tokens = TokenSource(text, self.complaints)
        self._stack: list[_Invocation] = []
        self._depths: dict[str, int] = {}
        self._state: Node | None = None
        self._recovering = False
        self._recoveries = 0
        self._complained = 0
        self._last_error_at = -1
        self._last_error_states: set[Node | None] = set()

    def recognize(self) -> Tree:
        """Raises Abort."""
        return self._rule("start", None, 0)

    def _rule(self, rule: str, after: Node | None, precedence: int) -> Tree:
        self._stack.append(_Invocation(rule, after))
        self._depths[rule] = self._depths.get(rule, 0) + 1
        if self._depths[rule] > _MAX_DEPTH:
            self.complaints.append(Complaint(NOWHERE, f"expression recursion limit exceeded: {_MAX_DEPTH}"))
            raise Abort
        holder = [Tree(rule, self.tokens.look())]
        try:
            self._walk(RULES[rule], holder, precedence)
        except (_Mismatch, NoWay) as error:
            self._report(error)
            self._recover()
        self._depths[rule] -= 1
        self._stack.pop()
        if rule not in RECURSIVE:
            self._state = after
        return holder[0]

    def _walk(self, node: Node | None, holder: list[Tree], precedence: int) -> None:
        """Go through a rule; `holder` has the tree, which a turn of left recursion replaces."""
        while node is not None:
            self._state = node
            match node:
                case TokenNode():
                    token = self._match(node)
                    holder[0].keep(node.label, token)
                    node = node.next
                case RuleNode():
                    part = self._rule(node.rule, node.next, node.precedence)
                    holder[0].keep(node.label, part)
                    node = node.next
                case WrapNode():
                    wrapped = Tree(holder[0].rule, holder[0].start)
                    wrapped.alternative = node.alternative
                    wrapped.keep(node.label, holder[0])
                    holder[0] = wrapped
                    node = node.next
                case NameNode():
                    holder[0].alternative = node.alternative
                    node = node.next
                case OptionalNode():
                    self._sync(node)
                    node = node.body if self.tokens.kind() in next_tokens(node.body) else node.next
                case LoopNode():
                    self._sync(node)
                    node = node.body if node.least_once or self._again(node, precedence) else node.next
                case BackNode():
                    self._sync(node)
                    node = node.loop.body if self._again(node.loop, precedence) else node.next
                case ChoiceNode():
                    self._sync(node)
                    node = node.alternatives[choose(node.decision, self.tokens)]

    def _again(self, loop: LoopNode, precedence: int) -> bool:
        if loop.decision == "first":
            return self.tokens.kind() in next_tokens(loop.body)
        return continues(loop.decision, self.tokens, precedence)

    def _match(self, node: TokenNode) -> Token:
        if self.tokens.kind() in node.kinds:
            self._matched()
            return self.tokens.consume()
        self._count_recovery()
        if self._delete_token():
            return self.tokens.consume()
        if self.tokens.kind() in self._expected_after(node.next):
            self._report_missing(node)
            return self._made_up(node)
        raise _Mismatch

    def _matched(self) -> None:
        self._recovering = False
        self._last_error_at = -1
        self._last_error_states = set()

    def _sync(self, node: OptionalNode | LoopNode | ChoiceNode | BackNode) -> None:
        """Before a branch: see to it that what comes can be dealt with."""
        if self._recovering:
            return
        fitting = next_tokens(node)
        if EPSILON in fitting or self.tokens.kind() in fitting:
            return
        if isinstance(node, BackNode):
            expected = self._expected()
            self._complain_unwanted()
            self._skip_until(expected | self._follow())
        elif not self._delete_token():
            raise _Mismatch

    def _delete_token(self) -> bool:
        """Drop the current token if the one after it is what is wanted."""
        if self.tokens.kind(2) not in self._expected():
            return False
        self._complain_unwanted()
        self.tokens.consume()
        self._matched()
        return True

    def _made_up(self, node: TokenNode) -> Token:
        kind = first_of(self._expected())
        place = self.tokens.look()
        if place.kind == END:
            place = self.tokens.previous() or place
        text = f"<missing '{kind}'>" if is_literal(kind) else "<missing undefined>"
        return Token(kind, text, place.offset)

    def _expected(self) -> frozenset[str]:
        """The tokens that may come at the current state, with regard to all callers."""
        return self._expected_after(self._state)

    def _expected_after(self, node: Node | None) -> frozenset[str]:
        expected = next_tokens(node)
        for invocation in reversed(self._stack):
            if EPSILON not in expected:
                return expected
            if invocation.rule == "start":
                break
            expected = (expected - {EPSILON}) | next_tokens(invocation.after)
        return (expected - {EPSILON}) | {END} if EPSILON in expected else expected

    def _follow(self) -> frozenset[str]:
        """Everything that may follow the current rule or one of its callers."""
        found: frozenset[str] = frozenset()
        for invocation in self._stack[1:]:
            found |= next_tokens(invocation.after)
        return found - {EPSILON}

    def _recover(self) -> None:
        """Give the rule up: skip to something that may follow, but never stay on one spot."""
        self._count_recovery()
        if self._last_error_at == self.tokens.index and self._state in self._last_error_states:
            self.tokens.consume()
        self._last_error_at = self.tokens.index
        self._last_error_states.add(self._state)
        self._skip_until(self._follow())

    def _skip_until(self, wanted: frozenset[str]) -> None:
        skipped = 0
        while self.tokens.kind() != END and self.tokens.kind() not in wanted:
            if skipped == _MAX_SKIPPED:
                limit = f"error recovery token lookahead limit exceeded: {_MAX_SKIPPED}"
                self.complaints.append(Complaint(NOWHERE, limit))
                raise Abort
            skipped += 1
            self.tokens.consume()

    def _count_recovery(self) -> None:
        if self._recoveries == _MAX_RECOVERIES:
            self._recoveries += 1
            self._complain(self.tokens.look(), f"error recovery attempt limit exceeded: {_MAX_RECOVERIES}")
            raise Abort
        self._recoveries += 1

    def _report(self, error: _Mismatch | NoWay) -> None:
        if self._recovering:
            return
        self._recovering = True
        if isinstance(error, NoWay):
            self._complain(error.last, _no_way(self._shown_input(error)))
        else:
            token = self.tokens.look()
            expected = describe(self._expected())
            self._complain(token, f"mismatched input {_shown(token.text)} expecting {expected}")

    def _shown_input(self, error: NoWay) -> str:
        if error.first.kind == END:
            return END
        return self.tokens.text_between(error.first, error.last)

    def _complain_unwanted(self) -> None:
        if self._recovering:
            return
        self._recovering = True
        token = self.tokens.look()
        self._complain(token, f"extraneous input {_shown(token.text)} expecting {describe(self._expected())}")

    def _report_missing(self, node: TokenNode) -> None:
        if self._recovering:
            return
        self._recovering = True
        token = self.tokens.look()
        self._complain(token, f"missing {describe(self._expected())} at {_shown(token.text)}")

    def _complain(self, token: Token, message: str) -> None:
        self._complained += 1
        if self._complained > _MAX_COMPLAINTS:
            message = f"More than {_MAX_COMPLAINTS} syntax errors"
        self.complaints.append(Complaint(token.offset, f"Syntax error: {message}"))
        if self._complained > _MAX_COMPLAINTS:
            raise Abort


def _shown(text: str) -> str:
    for char, escaped in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(char, escaped)
    return f"'{text}'"


def _no_way(text: str) -> str:
    """A keyword where a field name should be is told apart from other dead ends."""
    for keyword in ("true", "false", "null"):
        if text[1:] == keyword:
            return f"mismatched input '{keyword}' expecting IDENTIFIER"
    return f"no viable alternative at input {_shown(text)}"
