"""Why a claim has its devices and not others: every reason is the allocator's, asked again."""

from typing import Any

from insight_story import claim, gpus, pod

from dray.api.meta import Object


def with_attributes(slice_: Object, name: str, values: list[str]) -> Object:
    """The slice with a string attribute that differs from device to device."""
    devices = [
        {**device, "attributes": {**device["attributes"], name: {"string": value}}}
        for device, value in zip(slice_["spec"]["devices"], values, strict=True)
    ]
    return {**slice_, "spec": {**slice_["spec"], "devices": devices}}


def user(name: str) -> Object:
    return pod(name, name, nodeName="n1")


def test_a_device_is_the_first_that_suits_and_the_next_would_do_as_well(ask: Any) -> None:
    mine, other = claim("p", held=("gpu-0",), pod="p"), claim("q", held=("gpu-1",), pod="q")
    text = ask(
        "why", "claim/p", resourceslices=[gpus("n1", 3)], pods=[user("p"), user("q")], resourceclaims=[mine, other]
    )  # fmt: skip
    assert "asked again, the allocator takes the same: the first in search order" in text
    assert "without it it takes gpu.example.com/n1/gpu-2" in text
    assert "gpu.example.com/n1/gpu-2: would do as well, later in search order" in text
    assert "gpu.example.com/n1/gpu-1: taken by claim default/q (pod q)" in text


def test_a_device_that_came_free_since_is_what_the_allocator_would_take_now(ask: Any) -> None:
    text = ask(
        "why", "claim/p", resourceslices=[gpus("n1", 2)], pods=[user("p")],
        resourceclaims=[claim("p", held=("gpu-1",), pod="p")],
    )  # fmt: skip
    assert "asked again, the allocator would take gpu.example.com/n1/gpu-0 instead" in text
    assert "gpu.example.com/n1/gpu-0: would do as well, though it was not taken then" in text


def test_a_constraint_that_forbids_another_device_is_the_reason(ask: Any) -> None:
    mine = claim("p", count=2, held=("gpu-0", "gpu-1"), pod="p")
    mine["spec"]["devices"]["constraints"] = [{"matchAttribute": "gpu.example.com/board"}]
    slice_ = with_attributes(gpus("n1", 3), "board", ["a", "a", "b"])
    text = ask("why", "claim/p", resourceslices=[slice_], pods=[user("p")], resourceclaims=[mine])
    assert "without them it does not fit" in text
    assert "at most 1 share one (a)" in text


def test_selectors_and_taints_refuse_other_devices(ask: Any) -> None:
    slice_ = with_attributes(gpus("n1", 3), "board", ["a", "b", "a"])
    taint = {"key": "broken", "effect": "NoSchedule"}
    slice_["spec"]["devices"][2]["taints"] = [taint]
    mine = claim("p", held=("gpu-0",), pod="p", selector="device.attributes['gpu.example.com'].board == 'a'")
    text = ask("why", "claim/p", resourceslices=[slice_], pods=[user("p")], resourceclaims=[mine])
    assert "gpu.example.com/n1/gpu-1: not selected: board is b" in text
    assert "gpu.example.com/n1/gpu-2: tainted broken" in text


def test_a_device_that_is_not_published_any_more_is_told_and_what_it_would_get_now(ask: Any) -> None:
    text = ask(
        "why", "claim/p", resourceslices=[gpus("n1", 1)], pods=[user("p")],
        resourceclaims=[claim("p", held=("gpu-7",), pod="p")],
    )  # fmt: skip
    assert "trouble: gpu-7: driver gpu.example.com does not publish it any more" in text
    assert "the allocator would take gpu.example.com/n1/gpu-0 instead" in text
