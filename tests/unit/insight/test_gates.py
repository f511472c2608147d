"""What a snapshot shows of a server's gates and release decides what is reckoned with."""

import datetime as dt
from collections.abc import Mapping

import pytest

from dray.allocation import Features
from dray.insight.gates import Gates, gates_of
from dray.insight.snapshot import Snapshot


def seen(version: str = "v1.36.2", gates: Mapping[str, bool] | None = None) -> Gates:
    facts = {"version": version} if gates is None else {"version": version, "gates": dict(gates)}
    return gates_of(Snapshot(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), {}, server=facts))


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("v1.36.2", "1.36"),
        ("v1.37.0-beta.1", "1.37"),
        ("v1.99.0", "1.37"),
        ("v1.33.4+k3s1", "1.36"),
        ("", "1.36"),
    ],
)
def test_server_is_taken_for_the_nearest_release_that_is_known(version: str, release: str) -> None:
    assert seen(version).release == release
    assert seen(version).features().release_137 is (release == "1.37")


def test_features_that_are_off_by_default_count_where_the_server_says_they_are_on() -> None:
    assert seen().features() == Features()
    told = seen(gates={"DRADerivedAttributes": True, "DRAListTypeAttributes": True, "DRADeviceTaints": False})
    features = told.features()
    assert features.derived_attributes
    assert features.list_type_attributes
    assert not features.device_taints
    assert not features.compatibility_groups


def test_manifests_are_read_as_the_server_would_read_them() -> None:
    settings = seen("v1.37.0", {"DRAOptionalNodeOperations": True, "SomethingNew": True}).as_settings()
    assert settings.release == "1.37"
    assert settings.enabled("DRAOptionalNodeOperations")
    assert "SomethingNew" not in settings.overrides
