"""AppArmor's annotations become fields, with the warnings of kube-apiserver 1.36.2."""

from typing import Any

import pytest

from dray.apiserver.registry.pod_app_armor import PREFIX, read_annotations

WARNING = f'metadata.annotations[{PREFIX}c]: deprecated since v1.30; use the "appArmorProfile" field instead'


def pod(annotation: str, profile: Any = None, whole: Any = None, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c"}
    if profile is not None:
        container["securityContext"] = {"appArmorProfile": profile}
    context = {} if whole is None else {"securityContext": {"appArmorProfile": whole}}
    return {
        "metadata": {"annotations": {f"{PREFIX}c": annotation}},
        "spec": {"containers": [container], **context, **spec},
    }


@pytest.mark.parametrize(
    ("made", "profile", "is_told"),
    [
        (pod("unconfined"), {"type": "Unconfined"}, True),
        (pod("runtime/default"), {"type": "RuntimeDefault"}, True),
        (pod("localhost/foo"), {"type": "Localhost", "localhostProfile": "foo"}, True),
        (pod("localhost/"), None, True),
        (pod("localhost/a b "), None, True),
        (pod(""), None, True),
        (pod("unconfined", {"type": "Unconfined"}), {"type": "Unconfined"}, False),
        (pod("runtime/default", whole={"type": "RuntimeDefault"}), None, False),
        (pod("unconfined", whole={"type": "RuntimeDefault"}), {"type": "Unconfined"}, True),
        (pod("unconfined", os={"name": "windows"}), None, False),
    ],
)
def test_annotation_fills_in_the_field_that_is_absent(made, profile, is_told) -> None:
    assert read_annotations(made) == ([WARNING] if is_told else [])
    context = made["spec"]["containers"][0].get("securityContext") or {}
    assert context.get("appArmorProfile") == profile
