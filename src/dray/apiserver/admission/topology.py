"""Pods are labelled with the zone and the region of the node that they get.

Source: kubernetes plugin/pkg/admission/podtopologylabels, 1.36.
"""

from typing import Final

from dray.api.meta import labels_of
from dray.api.resources import NODES
from dray.apiserver.core import AdmissionRequest

GATE: Final = "PodTopologyLabelsAdmission"
LABELS: Final = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class TopologyLabels:
    async def mutate(self, request: AdmissionRequest) -> None:
        """Of a new pod that has a node, or of the binding that gives it one."""
        obj, subresource = request.object, request.call.subresource
        if obj is None or request.operation != "CREATE" or not request.call.features.enabled(GATE):
            return
        if not subresource:
            node = obj["spec"].get("nodeName") or ""
        elif subresource == "binding" and (obj.get("target") or {}).get("kind") == "Node":
            node = (obj.get("target") or {}).get("name") or ""
        else:
            return
        stored = request.call.find(NODES, node) if node else None
        known = labels_of(stored) if stored else {}
        labels: dict[str, str] = {**labels_of(obj), **{key: known[key] for key in LABELS if key in known}}
        if labels:
            obj["metadata"]["labels"] = {key: labels[key] for key in sorted(labels)}

    async def validate(self, request: AdmissionRequest) -> None:
        return None
