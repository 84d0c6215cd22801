from __future__ import annotations

import pytest

from flowrex.errors import NotFound
from flowrex.nomad import NomadClient
from tests.unit.flowrex.nomad.stub import Stub

LOGS = "/v1/client/fs/logs/a1"


def test_the_end_of_a_log_is_read_from_its_end(nomad: Stub) -> None:
    nomad.tell("GET", LOGS, b"one\ntwo \xff\n")
    text = NomadClient(nomad.address).allocations.tail("a1", "web", stream="stderr", max_bytes=512)
    assert text == "one\ntwo \ufffd\n"
    assert nomad.last.query["type"] == ["stderr"]
    assert (nomad.last.query["origin"], nomad.last.query["offset"]) == (["end"], ["512"])


def test_a_log_is_followed_piece_by_piece(nomad: Stub) -> None:
    nomad.tell("GET", LOGS, b"one\ntwo\n")
    pieces = NomadClient(nomad.address).allocations.follow("a1", "web")
    assert b"".join(pieces) == b"one\ntwo\n"
    assert nomad.last.query["follow"] == ["true"]


def test_a_log_that_is_gone_is_not_found_at_once(nomad: Stub) -> None:
    with pytest.raises(NotFound):
        NomadClient(nomad.address).allocations.follow("a1", "web")
