"""What the kinds of resource.k8s.io share: the versions served, since when they are deprecated, and whose words findings have."""

from collections.abc import Sequence

from dray.api.features import FeatureGates
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.validation.resource.declared import in_declared_words
from dray.apiserver.registry.kind import Deprecation

VERSIONS = ("v1", "v1beta2", "v1beta1")
DEPRECATED = {"v1beta1": Deprecation("1.35", "1.38"), "v1beta2": Deprecation("1.36", "1.39")}


def worded(features: FeatureGates, found: Sequence[FieldError], obj: Object) -> list[FieldError]:
    """What the rules have against `obj`, in the words of the release: 1.37 declares many rules with the types."""
    if features.reaches("1.37") and features.enabled("DeclarativeValidationBeta"):
        return in_declared_words(found, obj)
    return list(found)
