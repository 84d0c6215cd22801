from __future__ import annotations

from typing import Literal

import pytest

from generator.lock import Holder
from generator.releases import outcome
from tests.unit.generator.releases.made import record

CANARY = record(1, outcome="canary")


@pytest.mark.parametrize(
    ("kind", "ended", "expected"),
    [
        ("promote", "done", "promoted"),
        ("fail", "done", "given up"),
        ("promote", "failed", "canary"),
    ],
)
def test_a_canary_is_what_became_of_it(
    kind: Literal["promote", "fail"], ended: str, expected: str
) -> None:
    after = record(2, outcome=ended, kind=kind, completes=CANARY.id)
    assert outcome(CANARY, [after, CANARY], None) == expected


def test_what_completes_another_run_is_not_this_ones() -> None:
    after = record(2, kind="promote", completes="another")
    assert outcome(CANARY, [after, CANARY], None) == "canary"


def test_one_that_runs_holds_the_lock() -> None:
    running = record(1, outcome="running")
    mine = Holder("kim", "desk", 1, "", "run prod")
    assert outcome(running, [running], mine) == "running"
    assert outcome(running, [running], Holder("kim", "desk", 2, "", "run prod")) == "died"
    assert outcome(running, [running], None) == "died"


def test_everything_else_is_as_it_was_recorded() -> None:
    assert outcome(record(1, outcome="stale"), [], None) == "stale"
