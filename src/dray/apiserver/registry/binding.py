"""Binding: a pod's node, posted once and never stored. `pods/binding` takes the same."""

from dray.api.resources import BINDINGS
from dray.apiserver.registry.kind import Kind

BINDING = Kind(BINDINGS, singular="binding", verbs=("create",), virtual=True)
