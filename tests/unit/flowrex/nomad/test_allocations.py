from __future__ import annotations

import pytest
import requests_mock as mocking

from flowrex.errors import NotFound
from flowrex.nomad import NomadClient

ADDRESS = "http://127.0.0.1:4646"
LOGS = f"{ADDRESS}/v1/client/fs/logs/a1"


def test_the_end_of_a_log_is_read_from_its_end(requests_mock: mocking.Mocker) -> None:
    requests_mock.get(LOGS, content=b"one\ntwo \xff\n")
    text = NomadClient(ADDRESS).allocations.tail("a1", "web", stream="stderr", max_bytes=512)
    request = requests_mock.last_request
    assert request is not None
    assert text == "one\ntwo \ufffd\n"
    assert request.qs["type"] == ["stderr"]
    assert (request.qs["origin"], request.qs["offset"]) == (["end"], ["512"])


def test_a_log_that_is_followed_has_no_deadline_but_for_the_connection(
    requests_mock: mocking.Mocker,
) -> None:
    requests_mock.get(LOGS, content=b"one\ntwo\n")
    pieces = NomadClient(ADDRESS, timeout_s=4).allocations.follow("a1", "web")
    request = requests_mock.last_request
    assert request is not None
    assert request.timeout == (4, None)
    assert b"".join(pieces) == b"one\ntwo\n"


def test_a_log_that_is_gone_is_not_found_at_once(requests_mock: mocking.Mocker) -> None:
    requests_mock.get(LOGS, status_code=404, text="no such allocation")
    with pytest.raises(NotFound):
        NomadClient(ADDRESS).allocations.follow("a1", "web")
