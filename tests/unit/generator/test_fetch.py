"""A document comes back, or a sentence that says why not."""

from __future__ import annotations

import pytest

from flowrex.errors import ServerRefused, ServerUnreachable
from generator.fetch import fetch
from tests.unit.generator.pages import pages


def test_a_document_is_returned() -> None:
    with pages() as port:
        assert fetch(f"http://127.0.0.1:{port}/json") == {"a": 1}


def test_what_is_no_document_is_an_error() -> None:
    with pages() as port:
        with pytest.raises(ServerRefused, match="no JSON"):
            fetch(f"http://127.0.0.1:{port}/text")
        with pytest.raises(ServerRefused, match="answers 404"):
            fetch(f"http://127.0.0.1:{port}/other")


def test_nobody_is_an_error() -> None:
    with pages() as port:
        pass
    with pytest.raises(ServerUnreachable):
        fetch(f"http://127.0.0.1:{port}/json")
