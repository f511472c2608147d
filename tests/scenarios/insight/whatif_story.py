"""The templates, workloads and pods that the tests of what-if ask about."""

import pathlib
from typing import Any

import yaml
from insight_story import claim, pod

from dray.api.meta import Object


def template(name: str = "one", count: int = 1) -> Object:
    spec = claim("x", count=count)["spec"]
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": meta,
        "spec": {"spec": spec},
    }


def deployment(name: str, replicas: int, uses: str = "one", **spec: Any) -> Object:
    claims = [{"name": "gpu", "resourceClaimTemplateName": uses}]
    shape = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c"}], "resourceClaims": claims, **spec},
    }
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": shape}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": body,
    }


def running(name: str, on: str = "n1", kind: str = "", **more: Any) -> Object:
    """A pod with a place and the claim of its name."""
    owner = [{"kind": kind, "name": "w", "uid": "w", "controller": True}] if kind else []
    return pod(name, name, nodeName=on, meta={"ownerReferences": owner}, **more)


def tolerating(name: str, device: str, seconds: int | None) -> Object:
    held = claim(name, held=(device,), pod=name)
    toleration = {"key": "hot", "operator": "Exists", "effect": "NoExecute"}
    result = held["status"]["allocation"]["devices"]["results"][0]
    result["tolerations"] = [toleration if seconds is None else {**toleration, "tolerationSeconds": seconds}]
    return held


def write(path: pathlib.Path, *objects: Object) -> str:
    path.write_text(yaml.safe_dump_all(objects))
    return str(path)
