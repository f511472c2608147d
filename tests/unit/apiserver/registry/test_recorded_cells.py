"""Tables show what the real API server showed of the same objects. Ages are compared in form only."""

import datetime as dt
import gzip
import json
import pathlib
import re

import pytest

from dray.apiserver.registry.catalog import catalog

CORPUS = pathlib.Path(__file__).parents[3] / "corpus" / "registry" / "cells.jsonl.gz"
NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
AGE = re.compile(r"(\d+[smhdy])+|<invalid>")

with gzip.open(CORPUS, "rt") as lines:
    CASES = [json.loads(line) for line in lines]
KINDS = {(kind.resource.api_version, kind.resource.kind): kind for kind in catalog() if not kind.stored_as}


def without_ages(cell):
    return AGE.sub("<age>", cell) if isinstance(cell, str) else cell


def kind_of(obj):
    version = obj["apiVersion"].rpartition("/")[2]
    group = obj["apiVersion"].removesuffix(version)
    found = [kind for (at, name), kind in KINDS.items() if name == obj["kind"] and at.startswith(group)]
    return next(kind for kind in found if kind.resource.group == group.removesuffix("/"))


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['object']['kind']}-{index}" for index, case in enumerate(CASES)]
)
def test_cells_are_those_recorded(case):
    kind = kind_of(case["object"])
    cells = [column.cell(case["object"], NOW) for column in kind.columns]
    assert [without_ages(cell) for cell in cells] == [without_ages(cell) for cell in case["cells"]]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['object']['kind']}-{index}" for index, case in enumerate(CASES)]
)
def test_columns_are_those_recorded(case):
    kind = kind_of(case["object"])
    assert [[c.name, c.type, c.format, c.priority] for c in kind.columns] == case["columns"]
