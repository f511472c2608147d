"""What is against a node as a place for a pod, and what would take it away."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Against:
    text: str
    """Equal for nodes that are alike."""
    advice: str = ""
    detail: str = ""
    """What differs from node to node: the pod that is in the way, the counts."""
