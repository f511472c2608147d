"""What an Accept header may ask for, and where: as kube-apiserver 1.36.2 answers it."""

from collections.abc import Callable

import pytest

from dray.api import errors
from dray.apiserver.http.negotiation import (
    JSON,
    check_document,
    check_route,
    representation,
    speaks_yaml,
)

NO_TYPE = "406: Not Acceptable"
NO_FORM = "only the following media types are accepted"


def refusal(check: Callable[[], object]) -> str:
    try:
        check()
    except errors.NotAcceptable as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("accept", "why"),
    [
        ("", ""),
        ("application/json", ""),
        ("*/*", ""),
        ("text/html,application/yaml", ""),
        ("application/json;v=v1", ""),
        ("application/*", NO_TYPE),
        ("*", NO_TYPE),
        ("text/plain", NO_TYPE),
        ("APPLICATION/JSON", NO_TYPE),
    ],
)
def test_most_paths_know_media_types_by_their_names_alone(accept: str, why: str) -> None:
    assert refusal(lambda: check_route(accept)).startswith(why)
    assert bool(refusal(lambda: check_route(accept))) is bool(why)


def test_the_version_is_told_in_json_alone() -> None:
    assert refusal(lambda: check_route("application/yaml", (JSON,))) == (
        "406: Not Acceptable\n\nAvailable representations: application/json"
    )


@pytest.mark.parametrize(
    ("accept", "why"),
    [
        ("application/*", ""),
        ("*", ""),
        ("application/json;foo=bar", ""),
        ("application/json;as=;v=", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io", NO_FORM),
        ("application/json;v=v1", NO_FORM),
        ("application/yaml;g=x", NO_FORM),
        ("text/plain", NO_FORM),
    ],
)
def test_documents_have_no_other_forms(accept: str, why: str) -> None:
    assert refusal(lambda: check_document(accept)).startswith(why)
    assert bool(refusal(lambda: check_document(accept))) is bool(why)


@pytest.mark.parametrize("accept", ["application/json;v=v1", "application/yaml;g=meta.k8s.io"])
def test_a_version_or_group_without_a_form_is_nothing_that_an_object_has(accept: str) -> None:
    assert refusal(lambda: representation(accept)).startswith(NO_FORM)
    assert not speaks_yaml(accept)
