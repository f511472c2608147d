"""The page on adding a kind names parts and files that exist."""

import dataclasses
import pathlib
import re

from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import Kind

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-kind.md").read_text()


def test_every_part_in_the_table_is_a_field_of_kind() -> None:
    fields = {field.name for field in dataclasses.fields(Kind)}
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(rows) == 8
    assert named - fields == set()


def test_files_that_it_names_exist() -> None:
    for path in re.findall(r"`((?:src|scripts|tests)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_every_kind_is_one_value_of_one_registry_module() -> None:
    modules = {path.stem for path in (ROOT / "src/dray/apiserver/registry").glob("*.py")}
    imported = re.findall(
        r"^from dray\.apiserver\.registry\.(\w+) import",
        (ROOT / "src/dray/apiserver/registry/catalog.py").read_text(),
        re.M,
    )
    assert set(imported) <= modules
    assert len({kind.resource for kind in catalog()}) == len(catalog())
