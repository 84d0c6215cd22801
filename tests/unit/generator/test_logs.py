from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from flowrex.errors import NotFound, UsageError
from flowrex.nomad import NomadClient
from flowrex.testing.nomad import FakeNomad
from generator.logs import choose, last_lines, lines_from
from tests.unit.generator.test_canary import CANARY

OLD = replace(CANARY, id="aabbccdd-2", client_status="complete", desired_status="stop")
ALL = [OLD, CANARY]


def test_the_newest_that_runs_is_meant() -> None:
    assert choose(ALL, "backend", None, "dev") is CANARY
    assert choose([OLD], "backend", None, "dev") is OLD


def test_an_allocation_is_named_by_the_beginning_of_its_id() -> None:
    assert choose(ALL, "backend", "aabb", "dev") is OLD


@pytest.mark.parametrize(
    ("wanted", "says"), [("aa", "more than one allocation"), ("zz", "no allocation")]
)
def test_an_id_that_fits_none_or_several_is_an_error_that_lists_them(
    wanted: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        choose(ALL, "backend", wanted, "dev")
    assert "aabbccdd (complete), aaaaaaaa (running)" in (caught.value.hint or "")


def test_a_job_without_allocations_has_no_log() -> None:
    with pytest.raises(UsageError, match="has no allocations in dev"):
        choose([], "backend", None, "dev")


def read(text: str, count: int) -> list[str]:
    nomad = FakeNomad()
    nomad.logs[("backend", "stdout")] = text
    return last_lines(cast(NomadClient, nomad), CANARY, "backend", stream="stdout", count=count)


def test_the_last_lines_are_as_many_as_were_asked_for() -> None:
    text = "".join(f"{number}\n" for number in range(10))
    assert read(text, 3) == ["7", "8", "9"]
    assert len(read(text, 0)) == 10
    assert read("", 3) == []


def test_only_a_line_feed_ends_a_line() -> None:
    assert read('{"a": "b\u2028c"}\n\nlast', 5) == ['{"a": "b\u2028c"}', "", "last"]


def test_long_lines_are_read_as_far_back_as_needed() -> None:
    asked: list[int] = []
    lines = [f"{number} " + "x" * 2000 for number in range(10)]

    class Short(FakeNomad):
        def __init__(self) -> None:
            super().__init__()
            self.allocations.tail = self._tail  # type: ignore[assignment, method-assign]

        def _tail(self, *_: object, max_bytes: int, **__: object) -> str:
            asked.append(max_bytes)
            return "\n".join(lines)[-max_bytes:]

    found = last_lines(cast(NomadClient, Short()), CANARY, "backend", stream="stdout", count=5)
    assert found == lines[-5:]
    assert len(asked) == 2


def test_a_log_that_is_gone_is_told_in_words() -> None:
    class Gone(FakeNomad):
        def __init__(self) -> None:
            super().__init__()
            self.allocations.tail = self._tail  # type: ignore[method-assign]

        def _tail(self, *_: object, **__: object) -> str:
            raise NotFound("404")

    with pytest.raises(NotFound, match="not there"):
        last_lines(cast(NomadClient, Gone()), CANARY, "backend", stream="stdout", count=5)


def test_pieces_that_are_cut_anywhere_become_whole_lines() -> None:
    text = "erste Zeile ü\nzweite\n\nletzte ohne Ende".encode()
    for size in (1, 2, 7, 100):
        pieces = (text[start : start + size] for start in range(0, len(text), size))
        assert list(lines_from(pieces)) == ["erste Zeile ü", "zweite", "", "letzte ohne Ende"]
