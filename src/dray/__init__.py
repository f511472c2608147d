"""dray: Kubernetes Dynamic Resource Allocation, whole, in Python."""

__version__ = "0.1.0"

KUBERNETES_VERSION = "v1.36.2"
"""The release whose behaviour dray reproduces; what `/version` and the nodes report."""
