"""What creating an object does with it, and when it is refused."""

import re

import pytest

from dray.api import errors
from dray.api.fields import Path, invalid
from dray.api.meta import Object, replace_at
from dray.api.resources import NAMESPACES
from dray.apiserver.core import AdmissionRequest, WriteOptions
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.metadata import ALPHABET, generated_name
from dray.store.errors import StoreFull
from dray.store.memory import MemoryStore
from tests.unit.apiserver.serving import (
    GADGETS,
    NOW,
    WIDGETS,
    add,
    call,
    gadget_kind,
    hub,
    new_core,
    widget,
    widget_kind,
)


async def test_a_new_object_gets_what_the_server_owns() -> None:
    core = await new_core()

    made = await add(core, WIDGETS, widget(color="red"))

    meta = made["metadata"]
    assert (made["apiVersion"], made["kind"]) == ("example.com/v1", "Widget")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", meta["uid"])
    assert meta["creationTimestamp"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert meta["generation"] == 1
    assert meta["resourceVersion"] == str(core.store.revision)
    assert made["spec"] == {"color": "red"}


async def test_a_client_cannot_set_what_the_server_owns() -> None:
    core = await new_core()
    obj = widget()
    obj["metadata"] |= {
        "uid": "mine",
        "creationTimestamp": "2000-01-01T00:00:00Z",
        "deletionTimestamp": "2000-01-01T00:00:00Z",
    }

    made = await add(core, WIDGETS, obj)

    assert made["metadata"]["uid"] != "mine"
    assert made["metadata"]["creationTimestamp"].startswith("2026")
    assert "deletionTimestamp" not in made["metadata"]


async def test_a_base_name_gets_five_letters_that_spell_nothing() -> None:
    core = await new_core()

    made = await add(core, WIDGETS, {"metadata": {"generateName": "w-"}})

    assert re.fullmatch(f"w-[{ALPHABET}]{{5}}", made["metadata"]["name"])


def test_a_long_base_name_is_cut_to_fit() -> None:
    assert len(generated_name("x" * 100)) == 63


async def test_a_made_up_name_that_is_taken_is_made_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    core = await new_core()
    await add(core, WIDGETS, widget("w-11111"))
    names = iter(["w-11111", "w-11111", "w-22222"])
    monkeypatch.setattr("dray.apiserver.verbs.metadata.generated_name", lambda base: next(names))

    made = await add(core, WIDGETS, {"metadata": {"generateName": "w-"}})

    assert made["metadata"]["name"] == "w-22222"


async def test_a_name_that_is_taken_is_refused() -> None:
    core = await new_core()
    await add(core, WIDGETS, widget())

    with pytest.raises(errors.AlreadyExists, match=r'^widgets\.example\.com "w" already exists$'):
        await add(core, WIDGETS, widget())


async def test_a_name_is_needed() -> None:
    core = await new_core()

    with pytest.raises(
        errors.Invalid, match=r"metadata\.name: Required value: name or generateName is required"
    ):
        await add(core, WIDGETS, {"metadata": {}})


async def test_the_namespace_must_exist() -> None:
    core = await new_core()

    with pytest.raises(errors.NotFound, match=r'^namespaces "nope" not found$'):
        await add(core, WIDGETS, widget(namespace="nope"), namespace="nope")


async def test_a_namespace_that_is_going_takes_nothing_new() -> None:
    core = await new_core()
    record = core.store.get("namespaces", "ns")
    assert record is not None
    going = replace_at(record.obj, ("metadata", "deletionTimestamp"), "2026-01-01T00:00:00Z")
    await core.store.update("namespaces", "ns", dict(going), record.revision)

    with pytest.raises(errors.Forbidden) as refused:
        await add(core, WIDGETS, widget())

    text = "unable to create new content in namespace ns because it is being terminated"
    assert refused.value.message == f'widgets.example.com "w" is forbidden: {text}'
    assert (refused.value.details or {})["causes"][0]["reason"] == "NamespaceTerminating"


async def test_the_body_may_not_name_another_namespace_than_the_url() -> None:
    core = await new_core()

    with pytest.raises(errors.BadRequest, match="does not match the namespace sent on the request"):
        await add(core, WIDGETS, widget(namespace="other"))


async def test_a_cluster_scoped_object_loses_its_namespace() -> None:
    core = await new_core()

    made = await add(core, GADGETS, {"metadata": {"name": "g", "namespace": "ns"}})

    assert "namespace" not in made["metadata"]


async def test_a_resource_version_on_a_new_object_is_a_mistake() -> None:
    core = await new_core()
    obj = widget()
    obj["metadata"]["resourceVersion"] = "1"

    with pytest.raises(
        errors.StatusError, match="resourceVersion should not be set on objects to be created"
    ):
        await add(core, WIDGETS, obj)


async def test_a_dry_run_answers_and_stores_nothing() -> None:
    core = await new_core()
    before = core.store.revision
    calling = call(core, "create", options=WriteOptions(dry_run=True))

    record = await create(calling, hub(calling, widget()))

    assert record.obj["metadata"]["uid"]
    assert "resourceVersion" not in record.obj["metadata"]
    assert core.store.revision == before


async def test_a_dry_run_still_finds_that_the_name_is_taken() -> None:
    core = await new_core()
    await add(core, WIDGETS, widget())
    calling = call(core, "create", options=WriteOptions(dry_run=True))

    with pytest.raises(errors.AlreadyExists):
        await create(calling, hub(calling, widget()))


class Recolor:
    """Admission that mutates, and then refuses what is blue."""

    async def mutate(self, request: AdmissionRequest) -> None:
        assert request.object is not None
        request.object = replace_at(
            request.object, ("spec", "color"), request.object["spec"].get("wanted", "red")
        )

    async def validate(self, request: AdmissionRequest) -> None:
        if request.object is not None and request.object["spec"]["color"] == "blue":
            raise errors.forbidden("example.com", "widgets", request.call.name, "no blue")


async def test_admission_changes_an_object_before_it_is_stored() -> None:
    core = await new_core(admission=Recolor())

    made = await add(core, WIDGETS, widget())

    assert made["spec"]["color"] == "red"


async def test_admission_judges_what_would_be_stored() -> None:
    core = await new_core(admission=Recolor())

    with pytest.raises(errors.Forbidden, match="no blue"):
        await add(core, WIDGETS, widget(wanted="blue"))
    assert core.store.count(WIDGETS.qualified) == 0


async def test_the_kind_prepares_then_judges_then_warns() -> None:
    def prepare(context: object, obj: Object) -> None:
        obj["spec"]["seen"] = ["prepared"]

    def validate(context: object, obj: Object):  # type: ignore[no-untyped-def]
        bad = obj["spec"].get("bad")
        return [invalid(Path("spec.bad"), bad, "must not be")] if bad else []

    kind = widget_kind(
        prepare_create=prepare, validate_create=validate, warnings=lambda context, obj: ["careful"]
    )
    core = await new_core(kind)
    calling = call(core, "create")

    record = await create(calling, hub(calling, widget()))

    assert record.obj["spec"]["seen"] == ["prepared"]
    assert calling.warnings == ["careful"]
    with pytest.raises(errors.Invalid, match=r'spec\.bad: Invalid value: "x": must not be'):
        await add(core, WIDGETS, widget("v", bad="x"))


async def test_who_wrote_which_field_is_recorded() -> None:
    core = await new_core()

    made = await add(core, NAMESPACES, {"metadata": {"name": "n2", "labels": {"a": "b"}}}, namespace="")

    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("test", "Update")
    assert "f:a" in entry["fieldsV1"]["f:metadata"]["f:labels"]


async def test_a_full_disk_is_said_to_be_full() -> None:
    class FullStore(MemoryStore):
        async def create(self, resource, path, obj):  # type: ignore[no-untyped-def]
            if resource == WIDGETS.qualified:
                raise StoreFull("no room")
            return await super().create(resource, path, obj)

    core = await new_core(store=FullStore())

    with pytest.raises(errors.ServiceUnavailable, match="no room") as refused:
        await add(core, WIDGETS, widget())
    assert refused.value.retry_after_seconds == 1


async def test_metadata_is_written_in_kubernetes_order() -> None:
    core = await new_core()

    made = await add(core, WIDGETS, {"metadata": {"labels": {"a": "b"}, "name": "w"}})

    keys = [key for key in made["metadata"] if key != "managedFields"]
    assert keys == [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "labels",
    ]


async def test_a_kind_without_generation_gets_none() -> None:
    core = await new_core(gadget_kind())

    made = await add(core, GADGETS, {"metadata": {"name": "g"}})

    assert "generation" not in made["metadata"]
