"""Every create that the real API server answered is answered alike: the same object, or the same findings."""

import json
import pathlib

import pytest

from .recorded import comparable, create, kind_at, load_cases

CASES = load_cases()
KNOWN = json.loads((pathlib.Path(__file__).parent / "known_differences.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_create_is_answered_as_recorded(case):
    got, want = comparable(create(case)), comparable(case["expect"])
    if case["id"] in KNOWN:
        assert got != want, "this one agrees now: take it from the list"
    else:
        assert got == want


def test_known_differences_are_all_in_the_corpus():
    assert set(KNOWN) <= {case["id"] for case in CASES}


def test_corpus_reaches_every_kind_of_resource_k8s_io():
    seen = {(kind_at(case["path"])[0].resource.kind, kind_at(case["path"])[1]) for case in CASES}
    assert {kind for kind, version in seen if version == "v1beta1"} == {
        "DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice",
    }  # fmt: skip
    assert ("DeviceTaintRule", "v1alpha3") in seen
    assert ("ResourcePoolStatusRequest", "v1alpha3") in seen
