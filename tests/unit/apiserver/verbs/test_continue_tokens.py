"""A token for the next page is input like any other: what kube-apiserver 1.36.2 refuses of it, in its words."""

import base64

import pytest

from dray.api import errors
from dray.apiserver.verbs.continue_token import decode_continue, encode_continue

REFUSED = {
    '{"v":"meta.k8s.io/v1","rv":0,"start":"a"}': "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
    '{"v":"zz","rv":150,"start":"a"}': "server does not recognize this encoded version zz",
    "null": "server does not recognize this encoded version ",
    '{"v":"meta.k8s.io/v1","rv":300}': "encoded start key empty (version meta.k8s.io/v1)",
    '{"v":"meta.k8s.io/v1","rv":300,"start":"../a"}': "../a",
    '{"v":"meta.k8s.io/v1","rv":300,"start":"a//b"}': "a//b",
    '{"v":"meta.k8s.io/v1","rv":300,"start":"a/."}': "a/.",
    '{"v":1}': "json: cannot unmarshal number into Go struct field continueToken.v of type string",
    '{"v":"meta.k8s.io/v1","rv":300,"start":{}}': "json: cannot unmarshal object into Go struct field continueToken.start of type string",
    '{"v":"meta.k8s.io/v1","rv":"300","start":"a"}': "json: cannot unmarshal string into Go struct field continueToken.rv of type int64",
    '{"v":"meta.k8s.io/v1","rv":1.5,"start":"a"}': "json: cannot unmarshal number 1.5 into Go struct field continueToken.rv of type int64",
    "[]": "json: cannot unmarshal array into Go value of type storage.continueToken",
    "{bad": "invalid character 'b' looking for beginning of object key string",
}


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def refusal(text: str) -> str:
    with pytest.raises(errors.BadRequest) as refused:
        decode_continue(text)
    return refused.value.message.removeprefix("invalid continue token: continue key is not valid: ")


@pytest.mark.parametrize("text", REFUSED)
def test_a_made_up_token_is_refused(text: str) -> None:
    assert refusal(token(text)) == REFUSED[text]


@pytest.mark.parametrize(("text", "byte"), [("a b", 1), ("AAAA=", 4), ("é", 0)])
def test_what_is_no_token_at_all_names_the_first_bad_byte(text: str, byte: int) -> None:
    assert refusal(text) == f"illegal base64 data at input byte {byte}"


def test_what_was_encoded_is_read_back() -> None:
    assert decode_continue(encode_continue(7, "ns/a")) == (7, "ns/a")


def test_a_token_below_every_revision_reads_the_present_state() -> None:
    assert decode_continue(token('{"v":"meta.k8s.io/v1","rv":-5,"start":"a"}')) == (None, "a")
