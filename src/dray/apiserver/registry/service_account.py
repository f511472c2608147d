"""ServiceAccount: an identity that pods run as."""

from dray.api.resources import SERVICE_ACCOUNTS
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.kind import Kind

SERVICE_ACCOUNT = Kind(
    SERVICE_ACCOUNTS,
    singular="serviceaccount",
    short_names=("sa",),
    columns=(NAME, AGE),
    metadata_checks=("change", "whole"),
    subresources=("token",),
    returns_deleted=True,
)
