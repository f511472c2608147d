"""What /statusz and /flagz answer. Forms and refusals are kube-apiserver 1.36.2's."""

import datetime as dt
import json

import pytest

from dray.api import errors
from dray.api.zpages import Component, answer

STARTED = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
NOW = STARTED + dt.timedelta(hours=27, minutes=3, seconds=9.7)
SERVER = Component(
    "apiserver", STARTED, "1.36", ("/healthz", "/statusz"), {"v": "2", "anonymous-auth": "true"}
)
NAMED = "v=v1beta1;g=config.k8s.io;as=Statusz"


def status_of(accept: str) -> str:
    """The media type alone of the answer."""
    return answer("statusz", SERVER, NOW, accept).content_type


def test_people_read_the_state_as_text() -> None:
    found = answer("statusz", SERVER, NOW, "")
    assert found.content_type == "text/plain; charset=utf-8"
    assert found.body.decode().splitlines()[:2] == ["", "apiserver statusz"]
    assert found.body.decode().splitlines()[4:] == [
        "Started: Wed Mar  4 05:06:07 UTC 2026",
        "Up: 27 hr 03 min 09 sec",
        "Go version: ",
        "Binary version: 1.36.2",
        "Emulation version: 1.36",
        "Paths: /healthz /statusz",
    ]


def test_people_read_a_flag_a_line_by_name() -> None:
    lines = answer("flagz", SERVER, NOW, "text/plain").body.decode().splitlines()
    assert (lines[1], lines[3:]) == ("apiserver flagz", ["anonymous-auth:true", "v:2"])


def test_programs_get_the_object_that_they_name() -> None:
    found = answer("statusz", SERVER, NOW, f"application/json;{NAMED}")
    assert found.content_type == "application/json;g=config.k8s.io;v=v1beta1;as=Statusz"
    assert found.warnings == ()
    assert json.loads(found.body) == {
        "kind": "Statusz",
        "apiVersion": "config.k8s.io/v1beta1",
        "metadata": {"name": "apiserver"},
        "startTime": "2026-03-04T05:06:07Z",
        "uptimeSeconds": 97389,
        "goVersion": "",
        "binaryVersion": "1.36.2",
        "emulationVersion": "1.36",
        "paths": ["/healthz", "/statusz"],
    }
    flags = json.loads(answer("flagz", SERVER, NOW, f"*/*;{NAMED.replace('Status', 'Flag')}").body)["flags"]
    assert list(flags.items()) == [("anonymous-auth", "true"), ("v", "2")]


def test_yaml_is_written_where_it_is_named() -> None:
    found = answer("statusz", SERVER, NOW, f"application/yaml;{NAMED}")
    assert found.content_type == "application/yaml;g=config.k8s.io;v=v1beta1;as=Statusz"
    assert found.body.startswith(b"apiVersion: config.k8s.io/v1beta1\nbinaryVersion: 1.36.2\n")


def test_the_older_version_comes_with_a_warning() -> None:
    found = answer("flagz", SERVER, NOW, "application/json;v=v1alpha1;g=config.k8s.io;as=Flagz")
    assert found.warnings == (
        "This version of the flagz endpoint is deprecated. Please use a newer version.",
    )


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/plain"),
        ("text/*", "text/plain"),
        ("text/plain;foo=bar", "text/plain"),
        ("application/json, text/plain", "text/plain"),
        (f"text/plain,application/json;{NAMED}", "text/plain"),
        (f"application/json;{NAMED},text/plain", "application/json"),
        (f"text/plain;q=0.1,application/json;{NAMED};q=0.9", "application/json"),
        (f"application/*;{NAMED}", "application/json"),
    ],
)
def test_the_most_wanted_form_that_there_is_is_taken(accept: str, content_type: str) -> None:
    assert status_of(accept).partition(";")[0] == content_type


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/*",
        "text/html",
        "nonsense",
        f"text/plain;{NAMED}",
        f"application/vnd.kubernetes.protobuf;{NAMED}",
        "application/json;v=v1;g=config.k8s.io;as=Statusz",
        "application/json;v=v1beta1;as=Statusz",
        "application/json;v=v1beta1;g=config.k8s.io;as=Flagz",
        "*/*;as=Statusz",
    ],
)
def test_what_is_neither_text_nor_a_form_by_its_whole_name_is_refused(accept: str) -> None:
    with pytest.raises(errors.NotAcceptable) as refused:
        status_of(accept)
    assert str(refused.value) == (
        "only the following media types are accepted: application/json, application/yaml, text/plain"
    )
