"""SPDY frames, against bytes that kubectl sent for `port-forward pod/web :80`."""

import zlib
from collections.abc import Iterator

import pytest

from dray.wire import spdy
from dray.wire.spdy import Accepted, Data, Decoder, Encoder, GoAway, Opened, Ping, Reset

FROM_KUBECTL = bytes.fromhex(
    "800300010000003d00000001000000000000"
    "78f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45a024cc6461c0c0c0c0590489c44c50e2663400000000ffff"
    "0000000101000000"
    "800300010000001800000003000000000000c2aa15540a2512d209000000ffff"
    "000000030000000e474554202f20485454502f312e310000000301000000"
    "800300010000001800000005000000000000"
    "82ea44153524ca1900000000ffff"
)
"""Three streams begun, of which the later say only what differs from the earlier; the request is cut short."""


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


def frames(decoder: Decoder, *chunks: bytes) -> list[spdy.Frame]:
    return [frame for chunk in chunks for frame in decoder.feed(chunk)]


def test_headers_are_compressed_with_the_words_that_every_side_knows() -> None:
    # The checksum that each side puts before its first headers.
    assert zlib.adler32(spdy.DICTIONARY).to_bytes(4, "big") == FROM_KUBECTL[20:24]


def test_kubectls_frames_are_read_however_they_are_cut(decoder: Decoder) -> None:
    cut = [FROM_KUBECTL[at : at + 7] for at in range(0, len(FROM_KUBECTL), 7)]
    assert frames(decoder, *cut) == [
        Opened(1, {"streamtype": "error", "port": "80", "requestid": "0"}),
        Data(1, b"", last=True),
        Opened(3, {"streamtype": "data", "port": "80", "requestid": "0"}),
        Data(3, b"GET / HTTP/1.1"),
        Data(3, b"", last=True),
        Opened(5, {"streamtype": "error", "port": "80", "requestid": "1"}),
    ]


def sent(encoder: Encoder) -> Iterator[tuple[bytes, spdy.Frame]]:
    yield encoder.open(1, {"streamtype": "data"}), Opened(1, {"streamtype": "data"})
    yield encoder.open(3, {"streamtype": "data"}, last=True), Opened(3, {"streamtype": "data"}, last=True)
    yield encoder.accept(1), Accepted(1)
    yield encoder.data(1, b"abc", last=True), Data(1, b"abc", last=True)
    yield encoder.reset(3, spdy.CANCEL), Reset(3, spdy.CANCEL)
    yield encoder.ping(2), Ping(2)


def test_what_is_written_is_read_back(decoder: Decoder) -> None:
    for data, frame in sent(Encoder()):
        assert frames(decoder, data) == [frame]


def test_settings_and_windows_are_read_over_and_a_goodbye_is_not(decoder: Decoder) -> None:
    settings, window = (
        bytes.fromhex("800300040000000400000000"),
        bytes.fromhex("80030009000000080000000100000001"),
    )
    goodbye = bytes.fromhex("80030007000000080000000000000000")
    assert frames(decoder, settings, window, goodbye) == [GoAway()]


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("800200060000000400000001"),
        bytes.fromhex("800300060000000200000001"),
        FROM_KUBECTL[:20] + b"none" + FROM_KUBECTL[24:],
    ],
    ids=["another version", "a frame too short", "another dictionary"],
)
def test_what_is_no_spdy_is_said_to_be_none(decoder: Decoder, data: bytes) -> None:
    with pytest.raises(spdy.SpdyError):
        frames(decoder, data)


def test_headers_cannot_grow_without_end(decoder: Decoder) -> None:
    with pytest.raises(spdy.SpdyError, match="headers of more than"):
        frames(decoder, Encoder().open(1, {"a": "x" * (1 << 20)}))
