"""`--runtime-config` decides which versions and resources are served; the more precise key wins."""

import pytest

from dray.apiserver.registry.catalog import catalog
from dray.apiserver.runtime_config import RuntimeConfigError, parse_runtime_config, served


def versions(config: str, plural: str) -> tuple[str, ...]:
    kinds = served(catalog(), parse_runtime_config(config, catalog()))
    return next((kind.versions for kind in kinds if kind.resource.plural == plural), ())


def test_a_version_that_is_turned_off_is_not_served() -> None:
    assert versions("resource.k8s.io/v1beta1=false", "resourceclaims") == ("v1", "v1beta2")


def test_everything_is_served_unless_it_is_turned_off() -> None:
    assert versions("", "resourceclaims") == ("v1", "v1beta2", "v1beta1")
    assert versions("", "resourcepoolstatusrequests") == ("v1alpha3",)


def test_two_keys_make_it_serve_what_kube_apiserver_serves_by_default() -> None:
    config = "api/beta=false,api/alpha=false"
    assert versions(config, "resourceclaims") == ("v1",)
    assert versions(config, "devicetaintrules") == ()
    assert versions(f"{config},resource.k8s.io/v1beta2=true", "devicetaintrules") == ("v1beta2",)


def test_a_version_wins_over_its_maturity_and_that_over_all_in_whatever_order_they_come() -> None:
    config = "resource.k8s.io/v1beta2,api/ga=true,api/all=false"
    assert versions(config, "resourceclaims") == ("v1", "v1beta2")
    assert versions(config, "pods") == ("v1",)
    assert versions(config, "resourcepoolstatusrequests") == ()


def test_a_resource_wins_over_its_version() -> None:
    config = "resource.k8s.io/v1=false,resource.k8s.io/v1/deviceclasses=true"
    assert "v1" in versions(config, "deviceclasses")
    assert "v1" not in versions(config, "resourceslices")


def test_the_core_group_has_an_empty_name() -> None:
    assert versions("/v1/pods=false", "pods") == ()
    assert versions("/v1=false,/v1/nodes=t", "pods") == ()
    assert versions("/v1=false,/v1/nodes=t", "nodes") == ("v1",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope.example.com/v1=true", "unknown api groups nope.example.com/v1"),
        ("b/v1=true,a/v1/x=true", "unknown api groups a/v1,b/v1"),
        ("resource.k8s.io/v2=true", "group version resource.k8s.io/v2 that has not been registered"),
        ("v1=false", "runtime-config invalid key v1"),
        ("a/b/c/d=false", "runtime-config invalid key a/b/c/d"),
        ("api/all=false", "invalid runtime-config with only api/all=false"),
        ("api/beta=1", "invalid value api/beta=1"),
        (
            "resource.k8s.io/v1/DeviceClasses=true",
            "invalid key resource.k8s.io/v1/DeviceClasses: group/version/resource and resource is always lowercase "
            'plural, not "DeviceClasses"',
        ),
        (
            "/v1=maybe",
            'invalid value of /v1: maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
    ],
)
def test_what_kube_apiserver_refuses_is_refused(text: str, message: str) -> None:
    with pytest.raises(RuntimeConfigError) as refused:
        parse_runtime_config(text, catalog())
    assert str(refused.value) == message
