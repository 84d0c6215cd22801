from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agents.backup.manifest import ManifestBroken, check, parse
from tests.unit.agents.backup.making import KEY, manifest


def test_it_is_read_as_it_was_written() -> None:
    written = manifest()
    assert parse(written.encode(), "m") == written


def test_only_who_has_the_key_can_have_written_it() -> None:
    check(manifest(), KEY)
    with pytest.raises(ManifestBroken, match="changed after"):
        check(replace(manifest(), rows={"public.orders": 4}), KEY)
    with pytest.raises(ManifestBroken, match="changed after"):
        check(manifest(), bytes(32))


def test_what_is_read_keeps_its_mark() -> None:
    check(parse(manifest().encode(), "m"), KEY)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b'{"format": 1}', b'{"format": 2}', b"\xff", b"[" * 9999],
)
def test_anything_else_is_none(content: bytes) -> None:
    with pytest.raises(ManifestBroken):
        parse(content, "m")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("files", []),
        ("files", [{"name": "x"}]),
        ("started_at", "yesterday"),
        ("completed_at", "2026-03-01T12:00:00"),
        ("rows", {"public.orders": "3"}),
        ("surprise", 1),
        ("key", None),
    ],
)
def test_a_field_that_is_wrong_makes_it_none(field: str, value: object) -> None:
    document = json.loads(manifest().encode())
    document[field] = value
    with pytest.raises(ManifestBroken):
        parse(json.dumps(document).encode(), "m")
