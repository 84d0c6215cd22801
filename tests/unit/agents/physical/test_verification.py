"""pgBackRest's verification, as 2.45 words it."""

from __future__ import annotations

import pytest

from agents.physical.verification import parse

GOOD = """\
stanza: flowrex
status: ok
  archiveId: 15-1, total WAL checked: 7, total valid WAL: 7
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261125-184033F, status: valid, total files checked: 1264, total valid files: 1264
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""


def test_what_is_all_valid_is_good() -> None:
    assert parse(GOOD).good
    assert parse(GOOD).problems == ()


def test_a_broken_segment_is_named_with_its_archive() -> None:
    found = parse(
        "stanza: flowrex\nstatus: error\n"
        "  archiveId: 15-1, total WAL checked: 8, total valid WAL: 7\n    other: 1\n"
    )
    assert not found.good
    assert found.problems == ("archiveId: 15-1: other: 1",)


@pytest.mark.parametrize("kind", ["missing", "checksum invalid", "size invalid", "other"])
def test_one_broken_file_of_a_backup_is_enough(kind: str) -> None:
    head, _, tail = GOOD.rpartition(f"{kind}: 0")
    assert not parse(f"{head}{kind}: 1{tail}").good


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stanza: flowrex\n",
        GOOD.replace("status: ok", "status: error"),
        GOOD.replace("status: valid", "status: invalid"),
    ],
)
def test_what_is_not_clearly_good_is_not(text: str) -> None:
    found = parse(text)
    assert not found.good
    assert found.problems
