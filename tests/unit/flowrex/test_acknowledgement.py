from __future__ import annotations

import pytest

from flowrex.acknowledgement import Acknowledgement, acknowledge, parse_acknowledgement
from flowrex.emergency import Emergency, Level
from flowrex.errors import ConfigurationError
from flowrex.switch import State, moment

AT = "2026-01-01T00:00:00+00:00"


def state(at: str) -> State:
    return State(Level.STOP, Emergency(Level.STOP, "r", "ops", at), 8, False, 0.0, "")


def test_the_latency_counts_from_the_time_in_the_key() -> None:
    written = moment(AT)
    assert written is not None
    said = acknowledge(state(AT), wall=written + 0.25, node="n1", release="1.2.3")
    assert said == Acknowledgement("stop", 8, "2026-01-01T00:00:00.250+00:00", 250.0, "n1", "1.2.3")


def test_a_bare_word_has_no_time_and_so_no_latency() -> None:
    assert acknowledge(state(""), wall=0).latency_ms is None


@pytest.mark.parametrize("latency", [None, 12.5])
def test_what_is_written_is_read_again(latency: float | None) -> None:
    said = Acknowledgement("halt", 3, AT, latency, "n1", "1.2.3")
    assert parse_acknowledgement("key", said.encode().encode()) == said


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{}", b"null", b'{"level": "halt"}'])
def test_what_is_none_is_refused_with_its_key(value: bytes) -> None:
    with pytest.raises(ConfigurationError, match="flowrex/emergency-acks/backend/x"):
        parse_acknowledgement("flowrex/emergency-acks/backend/x", value)
