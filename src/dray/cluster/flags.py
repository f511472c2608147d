"""Flags that Kubernetes' components have too: what their values mean, told in one line where they mean nothing."""

from dray.api.features import FeatureGateError, FeatureGates, parse_feature_gates
from dray.cluster.layout import ClusterError


def feature_gates(text: str) -> FeatureGates:
    """`NAME=BOOL,...`. Raises ClusterError, in upstream's words."""
    try:
        return parse_feature_gates(text)
    except FeatureGateError as error:
        raise ClusterError(f"--feature-gates: {error}") from None
