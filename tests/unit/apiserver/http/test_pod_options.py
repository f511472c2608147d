"""What may be asked about containers, as kube-apiserver 1.36.2 reads it."""

import pytest

from dray.api import errors
from dray.apiserver.http.pod_options import forwarded_ports, log_options
from dray.apiserver.options import Query


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, []),
        ({"follow": ["zz"]}, [("follow", "true")]),
        ({"follow": [""]}, [("follow", "true")]),
        ({"follow": ["False"], "previous": ["0"]}, []),
        ({"tailLines": ["+1", "2"], "timestamps": ["7"]}, [("tailLines", "1"), ("timestamps", "true")]),
        ({"sinceTime": ["2026-01-01T01:00:00+01:00"]}, [("sinceTime", "2026-01-01T00:00:00Z")]),
        ({"sinceTime": [""]}, [("sinceTime", "0001-01-01T00:00:00Z")]),
    ],
)
def test_options_of_logs_are_read_as_go_reads_them(query: Query, asked: list[tuple[str, str]]) -> None:
    assert log_options(query, "p", split=False) == asked


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"tailLines": [""]}, 'strconv.ParseInt: parsing "": invalid syntax'),
        ({"limitBytes": ["1.5"]}, 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ({"sinceSeconds": ["9" * 20]}, f'strconv.ParseInt: parsing "{"9" * 20}": value out of range'),
        (
            {"sinceTime": ["zz"]},
            'parsing time "zz" as "2006-01-02T15:04:05Z07:00": cannot parse "zz" as "2006"',
        ),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(query: Query, message: str) -> None:
    with pytest.raises(errors.BadRequest) as raised:
        log_options(query, "p", split=False)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            {"sinceSeconds": ["-1"], "tailLines": ["-2"], "limitBytes": ["0"]},
            "[tailLines: Invalid value: -2: must be greater than or equal to 0, limitBytes: Invalid value: 0: "
            "must be greater than 0, sinceSeconds: Invalid value: -1: must be greater than 0]",
        ),
        (
            {"sinceSeconds": ["1"], "sinceTime": ["2026-01-01T00:00:00Z"]},
            "[]: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
        ({"stream": [""]}, "stream: Forbidden: may not be specified"),
    ],
)
def test_what_makes_no_sense_is_invalid(query: Query, found: str) -> None:
    with pytest.raises(errors.Invalid) as raised:
        log_options(query, "p", split=False)
    assert raised.value.message == f'PodLogOptions "p" is invalid: {found}'


def test_one_stream_may_be_asked_for_where_the_gate_is_on() -> None:
    assert log_options({"stream": ["Stdout"]}, "p", split=True) == [("stream", "Stdout")]
    for query in ({"stream": ["zz"]}, {"stream": ["Stdout"], "tailLines": ["1"]}):
        with pytest.raises(errors.Invalid):
            log_options(query, "p", split=True)


def test_ports_to_forward_are_small_numbers() -> None:
    assert forwarded_ports({"ports": ["80,81", "82"]}) == [80, 81, 82]
    for text, why in (("abc", "invalid syntax"), ("-1", "invalid syntax"), ("99999", "value out of range")):
        with pytest.raises(errors.BadRequest) as raised:
            forwarded_ports({"ports": [text]})
        wanted = f'cannot convert to []int32: strconv.ParseUint: parsing "{text}": {why}'
        assert raised.value.message == wanted
