"""ServiceAccount: an identity that pods run as."""

from typing import Final

from dray.api.meta import Object, annotations_of
from dray.api.resources import SERVICE_ACCOUNTS
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.kind import Kind, WriteContext

ENFORCE: Final = "kubernetes.io/enforce-mountable-secrets"
"""Annotation: pods of the account use no other secrets than those that it names."""


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    if ENFORCE not in annotations_of(obj) or (context.old and ENFORCE in annotations_of(context.old)):
        return []
    advice = "prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{ENFORCE}]: deprecated in v1.32+; {advice}"]


def _name_secrets(context: WriteContext, obj: Object) -> None:
    """Of the secrets only their names are kept."""
    if obj.get("secrets"):
        obj["secrets"] = [
            {"name": secret["name"]} if secret.get("name") else {} for secret in items_of(obj["secrets"])
        ]


SERVICE_ACCOUNT = Kind(
    SERVICE_ACCOUNTS,
    singular="serviceaccount",
    short_names=("sa",),
    columns=(NAME, AGE),
    prepare_create=_name_secrets,
    prepare_update=_name_secrets,
    warnings=_warnings,
    metadata_checks=("change", "whole"),
    subresources=("token",),
    returns_deleted=True,
)
