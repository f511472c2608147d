"""Plugins are spared the phases in which they do nothing, and no others."""

import pytest

from dray.apiserver.admission.chain import default_admission
from dray.apiserver.admission.metrics import does_anything
from dray.apiserver.authorization.rbac import Rbac
from dray.apiserver.core import Admission
from dray.store.memory import MemoryStore


def plugins() -> dict[str, Admission]:
    found: dict[str, Admission] = {}
    for each in default_admission(Rbac(MemoryStore())).plugins:
        found[type(each).__name__] = each
    return found


def is_empty(method: object) -> bool:
    """A body that names nothing does nothing."""
    return method.__code__.co_names == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(plugins()))
def test_phase_is_skipped_where_it_is_empty(name: str) -> None:
    plugin = plugins()[name]
    for phase, method in (("admit", type(plugin).mutate), ("validate", type(plugin).validate)):
        if not does_anything(plugin, phase):  # type: ignore[arg-type]
            assert is_empty(method), phase
