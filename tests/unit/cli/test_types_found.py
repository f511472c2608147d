"""Types are found by the words that kubectl knows them by, and told by the same word when they are not."""

import pytest

from dray.api.resources import Resource
from dray.cli.kubectl.naming import Discovery, Served, UnknownResource


def _served(group: str, version: str, plural: str, kind: str, short: str) -> Served:
    resource = Resource(group, version, plural, kind, True)
    return Served(resource, frozenset({plural, kind.lower(), short}), ("all",), (short,), ("get",))


DISCOVERY = Discovery(
    [
        _served("", "v1", "pods", "Pod", "po"),
        _served("apps", "v1", "deployments", "Deployment", "deploy"),
    ]
)


@pytest.mark.parametrize("name", ["pods", "po", "Pod", "PODS", "pods.v1."])
def test_type_of_the_core_is_found(name: str) -> None:
    assert DISCOVERY.find(name).resource.kind == "Pod"


@pytest.mark.parametrize("name", ["deploy", "deployments.apps", "deployments.v1.apps", "deploy.apps"])
def test_type_of_a_group_is_found(name: str) -> None:
    assert DISCOVERY.find(name).resource.kind == "Deployment"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pods.v1", "pods"),
        ("deployments.v2.apps", "deployments"),
        ("Nope.v1.example.com", "Nope"),
        ("nope", "nope"),
    ],
)
def test_type_that_is_not_there_is_told_by_its_first_word(name: str, told: str) -> None:
    with pytest.raises(UnknownResource) as raised:
        DISCOVERY.find(name)
    assert str(raised.value) == f'error: the server doesn\'t have a resource type "{told}"'
