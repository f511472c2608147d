"""What `why` answers with."""

import dataclasses

from dray.insight.choice import DeviceChoice
from dray.insight.claim_state import Blocker
from dray.insight.evidence import NodeEvidence
from dray.insight.exclusions import Exclusion
from dray.insight.remedies import Step


@dataclasses.dataclass(frozen=True, slots=True)
class Help:
    """What would help on one node; every step was tried."""

    node: str
    steps: tuple[Step, ...]
    fits: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    subject: str
    state: str
    """`pending`, `missing`, `running`, `scheduled`, `finished`, `allocated`, `unused`."""
    cause: str
    blockers: tuple[Blocker, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    devices: tuple[NodeEvidence, ...] = ()
    fitting: tuple[str, ...] = ()
    """Nodes on which everything that was looked at fits."""
    fixes: tuple[Help, ...] = ()
    """Changes that suffice alone."""
    way_out: Help | None = None
    """Where none suffices alone: what must happen together."""
    choices: tuple[DeviceChoice, ...] = ()
    """For allocated claims: why these devices."""
    facts: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
