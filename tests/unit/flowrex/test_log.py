"""Log lines are JSON objects, one a line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from flowrex import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("debug", stream=stream, service="backend")
    yield stream
    root.handlers[:], root.level = before[0], before[1]


def line(stream: io.StringIO) -> dict[str, object]:
    (text,) = stream.getvalue().splitlines()
    document: dict[str, object] = json.loads(text)
    return document


def test_a_line_has_its_fields_and_its_extras(stream: io.StringIO) -> None:
    logging.getLogger("flowrex.x").info("took %d ms", 3, extra={"order": 7})
    document = line(stream)
    assert document["message"] == "took 3 ms"
    assert document["level"] == "info"
    assert document["logger"] == "flowrex.x"
    assert document["service"] == "backend"
    assert document["order"] == 7
    assert str(document["time"]).endswith("+00:00")


def test_a_message_of_several_lines_stays_one_line(stream: io.StringIO) -> None:
    logging.getLogger("x").warning("a\nb")
    assert line(stream)["message"] == "a\nb"


def test_a_request_id_is_on_every_line_of_the_request(stream: io.StringIO) -> None:
    token = log.request_id.set("r-1")
    logging.getLogger("x").info("a")
    log.request_id.reset(token)
    assert line(stream)["request_id"] == "r-1"


def test_an_exception_is_a_field(stream: io.StringIO) -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "ValueError: bad" in str(line(stream)["exception"])


def test_an_extra_never_takes_the_place_of_what_every_line_has(stream: io.StringIO) -> None:
    logging.getLogger("a").warning("odd", extra={"level": "halt", "service": "another"})
    found = line(stream)
    assert (found["level"], found["service"]) == ("warning", "backend")
    assert (found["level_"], found["service_"]) == ("halt", "another")
