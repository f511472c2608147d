"""Flags that Kubernetes' components have too: what their values mean, told in one line where they mean nothing."""

from dray.api.features import FeatureGateError, FeatureGates, parse_feature_gates, parse_release
from dray.cluster.layout import ClusterError


def feature_gates(text: str, emulated_version: str = "") -> FeatureGates:
    """`NAME=BOOL,...` of the release `MAJOR.MINOR`. Raises ClusterError, in upstream's words."""
    try:
        release = parse_release(emulated_version)
    except FeatureGateError as error:
        raise ClusterError(f"--emulated-version: {error}") from None
    try:
        return parse_feature_gates(text, release)
    except FeatureGateError as error:
        raise ClusterError(f"--feature-gates: {error}") from None
