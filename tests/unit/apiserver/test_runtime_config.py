"""`--runtime-config` decides which versions and resources are served; the more precise key wins."""

import pytest

from dray.apiserver.registry.catalog import catalog
from dray.apiserver.runtime_config import RuntimeConfigError, parse_runtime_config, served


def versions(config: str, plural: str) -> tuple[str, ...]:
    kinds = served(catalog(), parse_runtime_config(config, catalog()))
    return next((kind.versions for kind in kinds if kind.resource.plural == plural), ())


def test_a_version_that_is_turned_off_is_not_served() -> None:
    assert "v1beta1" in versions("", "resourceclaims")
    assert versions("resource.k8s.io/v1beta1=false", "resourceclaims") == ("v1", "v1beta2")


def test_a_version_wins_over_its_maturity_and_that_over_all() -> None:
    config = "api/all=false,api/ga=true,resource.k8s.io/v1beta2"
    assert versions(config, "resourceclaims") == ("v1", "v1beta2")
    assert versions(config, "pods") == ("v1",)
    assert versions(config, "resourcepoolstatusrequests") == ()


def test_a_resource_wins_over_its_version() -> None:
    config = "resource.k8s.io/v1=false,resource.k8s.io/v1/deviceclasses=true"
    assert "v1" in versions(config, "deviceclasses")
    assert "v1" not in versions(config, "resourceslices")


def test_the_core_group_is_named_by_its_version_alone() -> None:
    assert versions("v1/pods=false", "pods") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope.example.com/v1=true", "unknown api groups nope.example.com"),
        ("v1=maybe", 'invalid value of v1=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax'),
    ],
)
def test_what_kube_apiserver_refuses_is_refused(text: str, message: str) -> None:
    with pytest.raises(RuntimeConfigError) as refused:
        parse_runtime_config(text, catalog())
    assert str(refused.value) == message
