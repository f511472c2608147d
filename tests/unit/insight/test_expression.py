"""`dray cel`: what a selector means for the devices there are."""

import datetime as dt
from typing import Any

import pytest

from dray.insight import Snapshot
from dray.insight.expression import check_expression, expressions_of

DRIVER = "gpu.example.com"
MODEL = f'device.attributes["{DRIVER}"].model'


def gpu_slice(
    name: str, *devices: dict[str, Any], generation: int = 1, driver: str = DRIVER
) -> dict[str, Any]:
    pool = {"name": "node-1", "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": driver, "nodeName": "node-1", "pool": pool, "devices": list(devices)}
    return {"metadata": {"name": name, "uid": name}, "spec": spec}


def gpu(name: str, **attributes: str) -> dict[str, Any]:
    return {
        "name": name,
        "attributes": {key: {"string": value} for key, value in attributes.items()},
        "capacity": {"memory": {"value": "40Gi"}},
    }


def cluster(*slices: dict[str, Any]) -> Snapshot:
    return Snapshot(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), {"resourceslices": list(slices)})


MIXED = cluster(
    gpu_slice("a", gpu("gpu-0", model="H100"), gpu("gpu-1", model="A100"), gpu("gpu-2", vendor="x"))
)


def test_devices_are_told_apart_by_what_the_selector_says_of_them() -> None:
    check = check_expression(MIXED, f'{MODEL} == "H100"')
    assert [str(device) for device in check.matches] == [f"{DRIVER}/node-1/gpu-0"]
    assert [(miss.reason, len(miss.devices)) for miss in check.misses] == [
        ("model is A100, you ask for H100", 1)
    ]
    assert [(miss.reason, len(miss.devices)) for miss in check.failures] == [("no such key: model", 1)]


def test_attribute_that_some_devices_lack_is_counted_and_guarded() -> None:
    check = check_expression(MIXED, f'{MODEL} == "H100"')
    (use,) = check.uses
    assert (use.name, use.present, use.absent, use.fails) == ("model", 2, 1, 1)
    assert set(use.values) == {"H100", "A100"}
    (advice,) = check.suggestions
    safe = advice.split("write: ", 1)[1]
    mended = check_expression(MIXED, safe)
    assert mended.failures == ()
    assert mended.matches == check.matches


def test_guard_holds_a_disjunction_together() -> None:
    (advice,) = check_expression(MIXED, f'{MODEL} == "H100" || {MODEL} == "A100"').suggestions
    mended = check_expression(MIXED, advice.split("write: ", 1)[1])
    assert (len(mended.matches), mended.failures) == (2, ())


@pytest.mark.parametrize(
    ("expression", "suggestion"),
    [
        (f'device.attributes["{DRIVER}"].modle == "H100"', "no device has attribute modle; did you mean model?"),
        (f'device.attributes["{DRIVER}"].zzz == "x"', "no device has attribute zzz; there are: model, vendor"),
        ('device.attribute["x"].y == 1', "a device has no field attribute; did you mean device.attributes?"),
        ('device.model == "H100"', 'attributes are read as device.attributes["DRIVER"].model'),
        ('device.driver = "x"', "equality is written =="),
        ('device.driver == "x" and true', "write && for and, || for or, ! for not"),
        ('quantty("1") == quantity("1")', "there is no quantty; did you mean quantity?"),
        (
            f'device.capacity["{DRIVER}"].memory >= "40Gi"',
            'capacities are compared like this: device.capacity["DRIVER"].memory.compareTo(quantity("40Gi")) >= 0',
        ),
        ("device.driver", "a selector is a question with the answer true or false: compare the value with something"),
    ],
)  # fmt: skip
def test_frequent_mistakes_get_what_was_probably_meant(expression: str, suggestion: str) -> None:
    assert any(suggestion in text for text in check_expression(MIXED, expression).suggestions)


def test_costly_selectors_are_known_before_the_server_refuses_them() -> None:
    listed = "[0,1,2,3,4,5,6,7,8,9]"
    loops = "".join(f"{listed}.all({name}, " for name in "abcdef")
    assert check_expression(MIXED, f'{loops}device.driver != ""{")" * 6}').too_costly
    assert not check_expression(MIXED, "true").too_costly


def test_only_the_newest_generation_of_a_pool_counts() -> None:
    both = cluster(
        gpu_slice("old", gpu("gone", model="H100")),
        gpu_slice("new", gpu("gpu-0", model="H100"), generation=2),
    )
    assert [device.device for device in check_expression(both, "true").matches] == ["gpu-0"]


def test_devices_of_one_driver_can_be_asked_about_alone() -> None:
    both = cluster(gpu_slice("a", gpu("gpu-0")), gpu_slice("b", gpu("nic-0"), driver="nic.example.com"))
    assert check_expression(both, "true", driver="nic.example.com").devices == 1


def test_selectors_are_found_wherever_an_object_has_them() -> None:
    def selector(text: str) -> dict[str, Any]:
        return {"selectors": [{"cel": {"expression": text}}]}

    claim = {
        "kind": "ResourceClaim",
        "spec": {
            "devices": {
                "requests": [
                    {"name": "a", "exactly": selector("1")},
                    {"name": "b", "firstAvailable": [selector("2"), selector("3")]},
                    {"name": "c", **selector("4")},
                ]
            }
        },
    }
    assert [text for _, text in expressions_of(claim)] == ["1", "2", "3", "4"]
    template = {"kind": "ResourceClaimTemplate", "spec": {"spec": claim["spec"]}}
    assert next(iter(expressions_of(template)))[0] == (
        "spec.spec.devices.requests[0].exactly.selectors[0].cel.expression"
    )
    assert list(expressions_of({"kind": "DeviceClass", "spec": selector("5")})) == [
        ("spec.selectors[0].cel.expression", "5")
    ]
