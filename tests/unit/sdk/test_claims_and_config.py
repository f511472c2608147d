"""What of a claim belongs to a driver, and how its opaque configuration is read."""

import dataclasses
import enum
from typing import Any

import pytest

from dray.sdk.claims import AllocatedDevice, ClaimRef, claim_for_driver
from dray.sdk.config import ConfigDecoder
from dray.sdk.errors import ClaimError, ConfigError

DRIVER = "gpu.example.com"
REF = ClaimRef("uid-1", "ns", "claim")


def claim(
    *results: dict[str, Any], configs: list[dict[str, Any]] | None = None, uid: str = "uid-1"
) -> dict[str, Any]:
    devices: dict[str, Any] = {"results": list(results)}
    if configs is not None:
        devices["config"] = configs
    return {
        "metadata": {"name": "claim", "namespace": "ns", "uid": uid},
        "status": {"allocation": {"devices": devices}},
    }


def result(device: str = "gpu-0", request: str = "gpu", driver: str = DRIVER, **more: Any) -> dict[str, Any]:
    return {"request": request, "driver": driver, "pool": "node", "device": device, **more}


def opaque(
    parameters: Any, *requests: str, driver: str = DRIVER, source: str = "FromClaim"
) -> dict[str, Any]:
    config: dict[str, Any] = {"source": source, "opaque": {"driver": driver, "parameters": parameters}}
    return config | ({"requests": list(requests)} if requests else {})


def test_only_own_results_count() -> None:
    seen = claim_for_driver(claim(result(), result(driver="other.example.com")), DRIVER, REF)
    assert [device.device for device in seen.devices] == ["gpu-0"]


def test_a_claim_without_own_results_is_legal() -> None:
    assert claim_for_driver(claim(result(driver="other.example.com")), DRIVER, REF).devices == ()


def test_a_replaced_claim_is_refused() -> None:
    with pytest.raises(ClaimError, match=r"claim ns/claim got replaced: it has UID uid-2 now, not uid-1"):
        claim_for_driver(claim(result(), uid="uid-2"), DRIVER, REF)


def test_an_unallocated_claim_is_refused() -> None:
    with pytest.raises(ClaimError, match="claim ns/claim not allocated"):
        claim_for_driver({"metadata": {"name": "claim", "namespace": "ns", "uid": "uid-1"}}, DRIVER, REF)


def test_sub_requests_have_their_base_request() -> None:
    assert AllocatedDevice("gpu/fast", "node", "gpu-0").base_request == "gpu"


def test_shares_of_one_device_have_different_ids() -> None:
    seen = claim_for_driver(claim(result(shareID="a"), result(shareID="b")), DRIVER, REF)
    assert [device.id for device in seen.devices] == ["gpu-0-a", "gpu-0-b"]


def test_admin_access_of_any_result_marks_the_claim() -> None:
    seen = claim_for_driver(claim(result(), result(driver="other", adminAccess=True)), DRIVER, REF)
    assert seen.admin_access
    assert not seen.devices[0].admin_access


def test_configs_apply_to_all_requests_the_exact_one_or_the_base_request() -> None:
    configs = [opaque("all"), opaque("exact", "gpu/fast"), opaque("base", "gpu"), opaque("other", "nic")]
    seen = claim_for_driver(claim(result(request="gpu/fast"), configs=configs), DRIVER, REF)
    assert [config.parameters for config in seen.configs_for(seen.devices[0])] == ["all", "exact", "base"]


def test_configs_of_other_drivers_are_skipped_and_order_is_kept() -> None:
    configs = [opaque("class", source="FromClass"), opaque("x", driver="other"), opaque("claim")]
    seen = claim_for_driver(claim(result(), configs=configs), DRIVER, REF)
    assert [(config.source, config.parameters) for config in seen.configs] == [
        ("FromClass", "class"),
        ("FromClaim", "claim"),
    ]


class Mode(enum.Enum):
    FAST = "Fast"
    SLOW = "Slow"


@dataclasses.dataclass
class Limits:
    max_memory: str = ""
    partition_count: int | None = None


@dataclasses.dataclass
class Config:
    mode: Mode = Mode.SLOW
    limits: Limits | None = None
    names: list[str] = dataclasses.field(default_factory=list)
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    exclusive: bool = False

    def validate(self) -> None:
        if self.exclusive and self.mode is Mode.SLOW:
            raise ValueError("exclusive needs mode Fast")


DECODER = ConfigDecoder({("example.com/v1", "Config"): Config})


def decode(**members: Any) -> Any:
    return DECODER.decode({"apiVersion": "example.com/v1", "kind": "Config", **members})


def test_parameters_become_typed_values_with_defaults() -> None:
    assert decode(mode="Fast", limits={"maxMemory": "1Gi"}, names=["a"], weights={"x": 1}) == Config(
        mode=Mode.FAST, limits=Limits("1Gi"), names=["a"], weights={"x": 1.0}
    )
    assert decode() == Config()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"mod": "Fast"}, "Config: unknown field 'mod'; did you mean 'mode'?"),
        ({"zzz": 1}, "known fields: mode, limits, names, weights, exclusive"),
        ({"mode": "Medium"}, "Config.mode: 'Medium' is not one of Fast, Slow"),
        ({"limits": {"partitionCount": "3"}}, "Config.limits.partitionCount: expected an integer, got '3'"),
        ({"limits": {"partitionCount": True}}, "expected an integer, got True"),
        ({"limits": []}, "Config.limits: expected an object, got []"),
        ({"names": "a"}, "Config.names: expected a list, got 'a'"),
        ({"names": [1]}, "Config.names[0]: expected a string, got 1"),
        ({"weights": {"x": "1"}}, "Config.weights.x: expected a number, got '1'"),
        ({"exclusive": True}, "Config: exclusive needs mode Fast"),
    ],
)
def test_errors_name_the_field_and_the_remedy(members: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(**members)
    assert why in str(caught.value)
    assert not caught.value.retry


def test_unknown_kinds_list_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"this driver knows Config of example\.com/v1"):
        DECODER.decode({"apiVersion": "example.com/v2", "kind": "Config"})


def test_parameters_that_are_no_object_are_refused() -> None:
    with pytest.raises(ConfigError, match="not an object"):
        DECODER.decode(None)
