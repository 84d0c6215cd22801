from __future__ import annotations

import pytest

from flowrex.duration import ago, seconds
from flowrex.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("30s", 30), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5), ("1.5m", 90), ("0s", 0)],
)
def test_a_length_of_time_is_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "30", "s", "1 m", "-5s", "5d", "1m x", "30s!"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        seconds(text)
    assert "30s" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("elapsed", "text"), [(-3, "0s"), (59, "59s"), (60, "1m"), (7300, "2h"), (200000, "2d")]
)
def test_an_age_is_told_in_its_largest_unit(elapsed: float, text: str) -> None:
    assert ago(elapsed) == text
