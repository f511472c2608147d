"""A finding: what is wrong, how that is known, and what to do."""

import dataclasses

ERROR = "error"
WARNING = "warning"
UNKNOWN = "unknown"
SEVERITIES = (ERROR, WARNING, UNKNOWN)


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    severity: str
    """`error`: something does not work; `warning`: it will not, or may not; `unknown`: it cannot be told from here."""
    subject: str
    text: str
    evidence: str
    """The fields, conditions and events that say so."""
    command: str = ""
    """A command line that mends it or, where that takes a decision, shows more. Nothing follows it."""
    advice: str = ""
    """What to do where no command can."""
