"""A pod as the rules look at it, and the phrases that their findings are made of."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dray.api.meta import Object


class Violation(NamedTuple):
    reason: str
    detail: str


Container = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A pod, or the template of pods."""

    annotations: Mapping[str, str]
    spec: Mapping[str, Any]

    @classmethod
    def of(cls, pod: Object) -> "Subject":
        return cls((pod.get("metadata") or {}).get("annotations") or {}, pod.get("spec") or {})

    @property
    def containers(self) -> list[Container]:
        """Of every sort."""
        kinds = ("initContainers", "containers", "ephemeralContainers")
        return [container for kind in kinds for container in self.spec.get(kind) or ()]

    @property
    def context(self) -> Mapping[str, Any]:
        """The pod's own securityContext."""
        return self.spec.get("securityContext") or {}

    @property
    def is_windows(self) -> bool:
        return (self.spec.get("os") or {}).get("name") == "windows"

    @property
    def has_own_users(self) -> bool:
        return self.spec.get("hostUsers") is False

    def names(self, is_bad: Callable[[Mapping[str, Any]], bool]) -> list[str]:
        """The containers whose securityContext is bad."""
        return [container["name"] for container in self.containers if is_bad(context_of(container))]


def context_of(container: Container) -> Mapping[str, Any]:
    return container.get("securityContext") or {}


def counted(singular: str, items: Iterable[object], plural: str = "") -> str:
    """The word for so many."""
    return singular if len(list(items)) == 1 else plural or f"{singular}s"


def quoted(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def containers_named(names: list[str]) -> str:
    return f"{counted('container', names)} {quoted(names)}"


def setters(*, pod: bool, containers: list[str]) -> str:
    """Who sets something: the pod, containers, or both."""
    parts = ["pod"] if pod else []
    return " and ".join([*parts, containers_named(containers)] if containers else parts)
