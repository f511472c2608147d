"""The admission webhook of the example driver: verdicts, and the server over real TLS."""

import datetime as dt
import os
import pathlib
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from dray.cluster.certificates import Authority
from dray.drivers.example.profiles.kinds import decoder_of
from dray.drivers.example.validation import NotAReview, review
from dray.drivers.example.webhook import PATH, Certificate, new_application
from dray.sdk.options import OptionError

GPU = "gpu.example.com"


def config(parameters: Any, driver: str = GPU) -> dict[str, Any]:
    return {"opaque": {"driver": driver, "parameters": parameters}}


def gpu_config(sharing: Any) -> dict[str, Any]:
    return {"apiVersion": "gpu.resource.example.com/v1alpha1", "kind": "GpuConfig", "sharing": sharing}


GOOD = config(gpu_config({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}}))
BAD = config(gpu_config({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "InvalidInterval"}}))


def asked(resource: str, spec: Any, version: str = "v1", group: str = "resource.k8s.io") -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "resource": {"group": group, "version": version, "resource": resource},
            "object": {"spec": spec},
        },
    }


def verdict(body: Any, driver: str = GPU, profile: str = "gpu") -> dict[str, Any]:
    answer = review(body, driver, decoder_of(profile, driver))
    assert answer["response"]["uid"] == "u-1"
    response: dict[str, Any] = answer["response"]
    return response


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_a_wrong_interval_is_refused_in_every_version(version: str) -> None:
    response = verdict(asked("resourceclaims", {"devices": {"config": [GOOD, BAD]}}, version))
    assert not response["allowed"]
    assert response["status"]["reason"] == "Invalid"
    message = response["status"]["message"]
    assert message.startswith(
        "1 configs failed to validate: object at spec.devices.config[1].opaque.parameters is invalid: "
    )
    assert message.endswith("unknown time-slice interval: InvalidInterval")


def test_templates_are_looked_into_at_their_own_path() -> None:
    message = verdict(asked("resourceclaimtemplates", {"spec": {"devices": {"config": [BAD]}}}))["status"][
        "message"
    ]
    assert "object at spec.spec.devices.config[0].opaque.parameters is invalid" in message


def test_device_classes_are_looked_into_too() -> None:
    message = verdict(asked("deviceclasses", {"config": [BAD]}))["status"]["message"]
    assert "object at spec.config[0].opaque.parameters is invalid" in message


def test_every_wrong_config_is_named() -> None:
    message = verdict(asked("resourceclaims", {"devices": {"config": [BAD, BAD]}}))["status"]["message"]
    assert message.startswith("2 configs failed to validate: ")
    assert "config[0]" in message
    assert "config[1]" in message


def test_good_configs_no_configs_and_those_of_other_drivers_pass() -> None:
    assert verdict(asked("resourceclaims", {"devices": {"config": [GOOD]}}))["allowed"]
    assert verdict(asked("resourceclaims", {"devices": {}}))["allowed"]
    assert verdict(asked("resourceclaims", {"devices": {"config": [config({"x": 1}, "other.example.com")]}}))[
        "allowed"
    ]


def test_a_config_without_sharing_is_what_the_driver_takes_for_the_default() -> None:
    assert verdict(asked("resourceclaims", {"devices": {"config": [config(gpu_config(None))]}}))["allowed"]


def test_unknown_members_are_refused_with_the_nearest_name() -> None:
    wrong = config(gpu_config({"strategi": "TimeSlicing"}))
    assert (
        "did you mean 'strategy'?"
        in verdict(asked("resourceclaims", {"devices": {"config": [wrong]}}))["status"]["message"]
    )


def test_cpus_take_no_config_and_network_cards_theirs() -> None:
    spec = {"devices": {"config": [config({}, "cpu.example.com")]}}
    assert (
        "configuration not allowed"
        in verdict(asked("resourceclaims", spec), "cpu.example.com", "cpu")["status"]["message"]
    )
    burst = {
        "apiVersion": "net.resource.example.com/v1alpha1",
        "kind": "NetConfig",
        "bwBurst": {"ingressBurst": 1 << 40},
    }
    spec = {"devices": {"config": [config(burst, "net.example.com")]}}
    assert (
        "burst cannot be more than 4GB"
        in verdict(asked("resourceclaims", spec), "net.example.com", "net")["status"]["message"]
    )


@pytest.mark.parametrize(("resource", "group"), [("pods", ""), ("resourceclaims", "example.com")])
def test_other_resources_are_a_bad_request(resource: str, group: str) -> None:
    status = verdict(asked(resource, {}, group=group))["status"]
    assert status["reason"] == "BadRequest"
    assert status["message"].startswith("expected resource to be one of resourceclaims.resource.k8s.io, ")


@pytest.mark.parametrize(
    "body", [[], {"kind": "Pod"}, asked("resourceclaims", {}) | {"apiVersion": "admission.k8s.io/v1beta1"}]
)
def test_what_is_no_review_cannot_be_answered(body: Any) -> None:
    with pytest.raises(NotAReview):
        review(body, GPU, decoder_of("gpu", GPU))


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="invalid device profile 'tpu'"):
        new_application("tpu")


def files_of(authority: Authority, name: str, directory: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    authority.server(name, ["localhost"])
    return directory / f"{name}.crt", directory / f"{name}.key"


async def test_the_server_answers_reviews_and_probes_over_tls(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path, dt.datetime.now(dt.UTC))
    certificate = Certificate(*files_of(authority, "webhook", tmp_path))
    runner = web.AppRunner(new_application("gpu"))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.context)
    await site.start()
    host, port = runner.addresses[0][:2]
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    trust.check_hostname = False
    url = f"https://{host}:{port}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
        async with session.get(f"{url}/readyz") as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with session.post(
            url + PATH, json=asked("resourceclaims", {"devices": {"config": [BAD]}})
        ) as response:
            assert not (await response.json())["response"]["allowed"]
        async with session.post(url + PATH, data="x", headers={"Content-Type": "text/plain"}) as response:
            assert response.status == 415
        for wrong in ("{", "{}"):
            headers = {"Content-Type": "application/json"}
            async with session.post(url + PATH, data=wrong, headers=headers) as response:
                assert response.status == 400
    await runner.cleanup()


def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path, dt.datetime.now(dt.UTC))
    first, second = files_of(authority, "first", tmp_path), files_of(authority, "second", tmp_path)
    certificate = Certificate(*first)
    assert not certificate.reload()
    for old, new in zip(first, second, strict=True):
        os.replace(new, old)
    assert certificate.reload()
    first[0].write_text("half written")
    assert not certificate.reload()


@pytest.mark.parametrize("missing", ["no-such-file", ""])
def test_a_webhook_without_a_certificate_says_so(tmp_path: pathlib.Path, missing: str) -> None:
    with pytest.raises(OptionError, match=r"certificate .* cannot be used|are both needed"):
        Certificate(pathlib.Path(missing), pathlib.Path(missing))
