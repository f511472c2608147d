"""Answers to reviews are written in the order of kube-apiserver, however they were asked."""

import json
from typing import Any

import aiohttp
import pytest

from dray.testing.scenario_server import scenario_server

ACCESS, IDENTITY = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"
ASKED = {"verb": "get", "resource": "pods", "namespace": "default"}


@pytest.mark.parametrize(
    ("path", "body", "head"),
    [
        (
            f"{ACCESS}/subjectaccessreviews",
            {"spec": {"user": "u", "resourceAttributes": ASKED}},
            '{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{',
        ),
        (
            f"{ACCESS}/namespaces/default/localsubjectaccessreviews",
            {"spec": {"user": "u", "resourceAttributes": ASKED}},
            '{"kind":"LocalSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{',
        ),
        (
            f"{ACCESS}/selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": ASKED}},
            '{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{',
        ),
        (
            f"{IDENTITY}/selfsubjectreviews",
            {},
            '{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","metadata":{',
        ),
    ],
)
async def test_kind_and_version_come_first(path: str, body: Any, head: str) -> None:
    async with scenario_server() as (url, tokens), aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        async with session.post(url + path, json=body, headers=headers) as answer:
            text = await answer.text()
    assert text.startswith(head)
    spec = json.loads(text).get("spec") or {}
    if "user" in spec:
        assert list(spec) == ["resourceAttributes", "user"]
    if "resourceAttributes" in spec:
        assert list(spec["resourceAttributes"]) == ["namespace", "verb", "resource"]
