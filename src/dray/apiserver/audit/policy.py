"""Which requests the audit log tells of, and how much: the Policy of `audit.k8s.io/v1`.

The first rule that fits a request decides; where none does, nothing is logged. Source: kubernetes
apiserver/pkg/audit/policy and pkg/apis/audit/validation, 1.36.
"""

import dataclasses
import enum
from collections.abc import Iterable
from typing import Final

from dray.apiserver.access import Attributes


class Level(enum.IntEnum):
    """How much of a request is told. Each says more than the one before."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    """And the object that was sent."""
    RESPONSE = 3
    """And the object that was answered."""

    @property
    def shown(self) -> str:
        return _NAMES[self]


_NAMES: Final = ("None", "Metadata", "Request", "RequestResponse")
LEVELS: Final = {name: Level(rank) for rank, name in enumerate(_NAMES)}


class Stage(enum.StrEnum):
    RECEIVED = "RequestReceived"
    STARTED = "ResponseStarted"
    """Of requests that last (watches, logs, exec), and the only one of those whose sender is not known."""
    COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What is told of one request."""

    level: Level
    omitted: frozenset[Stage] = frozenset()
    without_managed_fields: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """Of one API group."""

    group: str = ""
    """"*": of all groups."""
    resources: tuple[str, ...] = ()
    """Such as `pods`, `pods/log`, `pods/*`, `*/scale`, `*`. None: all."""
    names: tuple[str, ...] = ()

    def match(self, asked: Attributes) -> bool:
        if self.group not in (asked.group, "*"):
            return False
        if not self.resources:
            return True
        if self.names and asked.name not in self.names:
            return False
        return any(_is_resource(wanted, asked.resource, asked.subresource) for wanted in self.resources)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """Whatever is empty says nothing."""

    told: Told
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    """"" for objects that are in none."""
    resources: tuple[Resources, ...] = ()
    urls: tuple[str, ...] = ()
    """Paths that are no resources'; a `*` at the end stands for anything."""

    def match(self, asked: Attributes) -> bool:
        """A user without a name is nobody, whom no rule about users means."""
        user = asked.user
        if self.users and (not user.name or user.name not in self.users):
            return False
        if self.groups and self.groups.isdisjoint(user.groups):
            return False
        if self.verbs and asked.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return bool(asked.resource) and self._match_resource(asked)
        if self.urls:
            return not asked.resource and any(_is_path(wanted, asked.path) for wanted in self.urls)
        return True

    def _match_resource(self, asked: Attributes) -> bool:
        if self.namespaces and asked.namespace not in self.namespaces:
            return False
        return not self.resources or any(wanted.match(asked) for wanted in self.resources)


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    rules: tuple[Rule, ...]
    is_own: bool = False
    """Nobody gave one: a line for each answered request, those of unknown senders included, without any text that
    was made from a body."""

    def judge(self, asked: Attributes) -> Told:
        """`asked` by whom it was sent, before any impersonation."""
        for rule in self.rules:
            if rule.match(asked):
                return rule.told
        return _NOTHING


_NOTHING: Final = Told(Level.NONE)

OWN: Final = Policy(
    (Rule(Told(Level.METADATA, frozenset({Stage.RECEIVED, Stage.STARTED}))),),
    is_own=True,
)
"""Holds where there is no file."""


PATCH_NOTES: Final = "patch.webhook.admission.k8s.io/"
"""How annotations begin that have parts of bodies: from level Request on."""


def together(*stages: Iterable[Stage]) -> frozenset[Stage]:
    return frozenset(stage for each in stages for stage in each)


def _is_resource(wanted: str, resource: str, subresource: str) -> bool:
    whole = f"{resource}/{subresource}" if subresource else resource
    if wanted in (whole, "*"):
        return True
    if subresource and wanted == f"*/{subresource}":
        return True
    return wanted == f"{resource}/*"


def _is_path(wanted: str, path: str) -> bool:
    if wanted in ("*", path):
        return True
    return wanted.endswith("*") and path.startswith(wanted.rstrip("*"))
