"""What operators ask of a node and what it answers, as documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flowrex.errors import ConfigurationError
from flowrex.node_requests import Answer, Request, new_id, parse_answer, parse_request

AT = "2026-03-01T12:00:00+00:00"


def test_a_request_comes_back_as_it_was_written() -> None:
    request = Request("1", "restore", {"to": "b1"}, "ann", AT)
    assert parse_request("flowrex/requests/n/1", request.encode().encode()) == request


def test_an_answer_comes_back_as_it_was_written() -> None:
    answer = Answer("1", "running", AT, "half of it", {"name": "b1"}, "c0ffee")
    assert parse_answer("flowrex/answers/n/1", answer.encode().encode()) == answer
    assert not answer.ended


def test_what_follows_an_answer_is_of_the_same_claim() -> None:
    done = Answer("1", "running", AT, claim="c0ffee").now("done", AT, name="b1")
    assert (done.claim, done.result, done.ended) == ("c0ffee", {"name": "b1"}, True)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"state": "perhaps"}', b"[" * 100_000])
def test_what_is_no_answer_is_an_error_that_names_its_key(value: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^flowrex/answers/n/1: "):
        parse_answer("flowrex/answers/n/1", value)


def test_ids_sort_by_time_whatever_the_zone() -> None:
    first = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    later = (first + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-5)))
    assert new_id(first) < new_id(later)
    assert new_id(first) != new_id(first)
