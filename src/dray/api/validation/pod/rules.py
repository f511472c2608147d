"""Which of two rules holds for a pod's spec: what feature gates say, and what the stored spec may have kept."""

import dataclasses
from typing import Final

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.validation.pod.label_keys import breaks_merged_rule, breaks_unmerged_rule

SPREAD_KEYS: Final = "MatchLabelKeysInPodTopologySpread"
MERGED_SPREAD_KEYS: Final = "MatchLabelKeysInPodTopologySpreadSelectorMerge"


@dataclasses.dataclass(frozen=True, slots=True)
class PodRules:
    """The default is that of a new pod where all gates are as they are by default."""

    merges_spread_keys: bool = True
    """Labels that spread constraints take from the pod stand in their selectors, too."""


NEW_POD: Final = PodRules()


def pod_rules(features: FeatureGates, before: Object | None) -> PodRules:
    """`before`: the stored spec that is replaced. One that broke a rule, as gates once were, is held to the other."""
    merges = merges_spread_keys(features)
    if before is None or not features.enabled(SPREAD_KEYS):
        return PodRules(merges)
    broken = breaks_merged_rule(before) if merges else breaks_unmerged_rule(before)
    return PodRules(merges != broken)


def merges_spread_keys(features: FeatureGates) -> bool:
    return features.enabled(SPREAD_KEYS) and features.enabled(MERGED_SPREAD_KEYS)
