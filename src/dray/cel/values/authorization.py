"""What the `authorizer` of admission policies is made of: questions about permissions that are built up step by step.

    authorizer.group("apps").resource("deployments").namespace("web").check("create").allowed()

Who answers is given from outside as an `Ask`. Every value is immutable; each step makes a new one.
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """May somebody do this? With `path` it is about a URL, else about a resource."""

    account: tuple[str, str] | None = None
    """Namespace and name of the service account that is meant; None: whoever sent the request."""
    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    fields: str = ""
    labels: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""
    error: str = ""


Ask = Callable[[Question], Decision]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Builder:
    """A question so far, and who can answer it."""

    ask: Ask
    question: Question = dataclasses.field(default_factory=Question)

    def ask_about(self, verb: str) -> Decision:
        return self.ask(dataclasses.replace(self.question, verb=verb))


class Authorizer(Builder):
    __slots__ = ()


class PathCheck(Builder):
    __slots__ = ()


class GroupCheck(Builder):
    __slots__ = ()


class ResourceCheck(Builder):
    __slots__ = ()
