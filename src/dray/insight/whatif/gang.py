"""The waiting pods of a gang, put on nodes together as the scheduler tries them: how many find a place, and who does not."""

import dataclasses

from dray.api.meta import Object, key_of, uid_of
from dray.insight.gangs import Gang
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.placing import Placed, Placing


@dataclasses.dataclass(frozen=True, slots=True)
class Together:
    found: int
    """How many of the waiting pods find a place."""
    reasons: tuple[tuple[Object, str], ...]
    """The others, each with its reason."""

    def reason_of(self, pod: Object) -> str | None:
        """Why the pod finds no place; None where it finds one."""
        return next((reason for other, reason in self.reasons if uid_of(other) == uid_of(pod)), None)

    def others_text(self, pod: Object) -> str:
        """Who else finds no place, and why; pods with the same reason are told together."""
        by_reason: dict[str, list[str]] = {}
        for other, reason in self.reasons:
            if uid_of(other) != uid_of(pod):
                by_reason.setdefault(reason, []).append(key_of(other).name)
        parts = [f"{_some(names)}: {reason}" for reason, names in list(by_reason.items())[:3]]
        if len(by_reason) > 3:
            parts.append(f"{len(by_reason) - 3} more reasons")
        return "; ".join(parts)


def place_together(snapshot: Snapshot, gang: Gang) -> Together:
    placing = Placing(snapshot)
    outcomes = [placing.place(pod) for pod in gang.waiting]
    refused = tuple((each.pod, each.reason) for each in outcomes if not isinstance(each, Placed))
    return Together(len(outcomes) - len(refused), refused)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
