"""What all kinds of resource.k8s.io share: the versions served and since when they are deprecated."""

from dray.apiserver.registry.kind import Deprecation

VERSIONS = ("v1", "v1beta2", "v1beta1")
DEPRECATED = {"v1beta1": Deprecation("1.35", "1.38"), "v1beta2": Deprecation("1.36", "1.39")}
