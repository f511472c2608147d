"""Field sets that many objects have alike are kept once; large ones are held for nobody."""

from dray.apiserver.verbs import managed


def owned(*names: str) -> dict[str, object]:
    return {"manager": "m", "fieldsV1": {f"f:{name}": {} for name in names}}


def test_equal_field_sets_are_one() -> None:
    first, second = managed._shared(owned("a", "b")), managed._shared(owned("a", "b"))
    assert first["fieldsV1"] is second["fieldsV1"]


def test_large_field_sets_are_not_remembered() -> None:
    names = [f"k{number}" for number in range(1000)]
    before = len(managed._SHARED)
    first, second = managed._shared(owned(*names)), managed._shared(owned(*names))
    assert first["fieldsV1"] is not second["fieldsV1"]
    assert len(managed._SHARED) == before
