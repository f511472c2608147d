"""The rules as values: what each is called, how much it matters, and on what kind of node it is tried."""

import dataclasses
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from dray.testing.conformance.stage import Setting, Stage

AREAS = ("registration", "calls", "claims", "lifecycle", "slices", "health")

Level = Literal["must", "should"]
Check = Callable[[Stage], Awaitable[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    area: str
    name: str
    title: str
    """The rule in one sentence."""
    level: Level
    check: Check
    setting: Setting
    waits: bool = False
    """Whether it mostly waits, for tens of seconds."""

    @property
    def full_name(self) -> str:
        return f"{self.area}/{self.name}"


_RULES: list[Rule] = []


def rule(
    *,
    level: Level = "must",
    kubelet_versions: tuple[str, ...] = ("v1", "v1beta1"),
    api_versions: tuple[str, ...] = (),
    features: Mapping[str, bool] | None = None,
    waits: bool = False,
) -> Callable[[Check], Check]:
    """Make an async function of a Stage a rule; its name and docstring are the rule's, its module the area."""

    def enter(check: Check) -> Check:
        area = check.__module__.rpartition(".")[2]
        title = " ".join((check.__doc__ or "").split()).rstrip(".")
        name = check.__name__.replace("_", "-")
        setting = Setting(kubelet_versions, api_versions, features or {})
        _RULES.append(Rule(area, name, title, level, check, setting, waits))
        return check

    return enter


def all_rules() -> list[Rule]:
    """Every rule, by area, in the order in which they are written down."""
    for area in AREAS:
        importlib.import_module(f"dray.testing.conformance.cases.{area}")
    return sorted(_RULES, key=lambda one: AREAS.index(one.area))
