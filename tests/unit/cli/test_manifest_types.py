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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"\xff\xfe\x00", "error: error parsing "),
        (b"kind: A\napiVersion: v1\nmetadata: [1]", "cannot unmarshal array into Go struct field metadataOnlyObject.metadata"),
        (b"kind: A\napiVersion: v1\nmetadata: hello", "cannot unmarshal string into Go struct field metadataOnlyObject.metadata"),
        (b"kind: A\napiVersion: v1\nmetadata: {annotations: 3}", "ObjectMeta.metadata.annotations of type map[string]string"),
        (b"kind: List\napiVersion: v1\nitems: [3]", "error validating data: invalid object to validate"),
        (b"kind: List\napiVersion: v1\nitems: [{a: 1}]", "error validating data: [apiVersion not set, kind not set]"),
    ],
)  # fmt: skip
def test_files_of_another_shape_are_named_with_what_is_wrong(
    tmp_path: pathlib.Path, text: bytes, complaint: str
) -> None:
    (tmp_path / "a.yaml").write_bytes(text)
    with pytest.raises(Failure) as refused:
        read_manifests([str(tmp_path / "a.yaml")])
    assert complaint in str(refused.value)
    assert str(tmp_path / "a.yaml") in str(refused.value)
