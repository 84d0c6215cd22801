from __future__ import annotations

import pytest

from flowrex.errors import UsageError
from generator.releases import find
from tests.unit.generator.releases.made import record

RECORDS = [
    record(5, "1.5.0", "canary"),
    record(4, "1.4.0", "failed"),
    record(3, "1.4.0"),
    record(2, "1.4.0"),
    record(1, "1.3.0"),
]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("20260302T120000.000000Z-0002", 2),
        ("20260302", 2),
        ("1.3.0", 1),
        ("1.4.0", 3),
        ("1.5.0", 5),
    ],
)
def test_an_id_the_beginning_of_one_or_a_version(name: str, number: int) -> None:
    assert find(RECORDS, name, "prod").id.startswith(f"2026030{number}")


def test_an_id_that_another_begins_with_is_itself() -> None:
    short, long = record(1, id="ab"), record(2, id="abc")
    assert find([long, short], "abc", "prod") is long
    assert find([short, long], "ab", "prod") is short


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("2026030", "may be any of the releases 20260305T120000.000000Z-0005, "),
        ("1.4.1", "prod has no release '1.4.1'"),
        ("nonsense", "prod has no release 'nonsense'"),
        ("", "prod has no release ''"),
    ],
)
def test_what_means_none_or_several_is_an_error(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        find(RECORDS, name, "prod")
    assert "flowrexctl releases prod" in (caught.value.hint or "")


def test_the_nearest_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        find(RECORDS, "1.3.1", "prod")
    assert "Did you mean 1.3.0?" in (caught.value.hint or "")
