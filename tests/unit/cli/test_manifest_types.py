"""A manifest whose kind or version is no text is refused as kubectl refuses it."""

import pathlib

import pytest

from dray.cli.kubectl.manifests import read_manifests
from dray.cli.kubectl.session import Failure


@pytest.mark.parametrize(
    ("text", "field"),
    [("apiVersion: v1\nkind: Y\n", "kind"), ("apiVersion: 1\nkind: Pod\n", "apiVersion")],
)
def test_type_must_be_text(text: str, field: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(Failure, match=rf"error validating data: {field} isn't string type; if you choose"):
        read_manifests([str(tmp_path / "a.yaml")])
