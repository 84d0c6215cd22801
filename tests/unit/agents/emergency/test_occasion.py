"""What a node's own programs are told of a change of the emergency."""

from __future__ import annotations

from agents.emergency.occasion import Occasion
from flowrex.emergency import Emergency, Level

OCCASION = Occasion(
    "n1",
    "prod",
    "5-halt",
    5,
    Emergency(Level.HALT, "orders doubled", "ann", "2026-03-01T12:00:00+00:00"),
    "2026-03-01T12:00:01+00:00",
    2,
)


def test_a_hook_reads_the_whole_change() -> None:
    assert OCCASION.document() == {
        "node": "n1",
        "environment": "prod",
        "change": "5-halt",
        "index": 5,
        "level": "halt",
        "reason": "orders doubled",
        "by": "ann",
        "at": "2026-03-01T12:00:00+00:00",
        "problem": "",
        "seen": "2026-03-01T12:00:01+00:00",
        "attempt": 2,
    }


def test_its_environment_says_the_same() -> None:
    environ = OCCASION.environ()
    assert environ["FLOWREX_LEVEL"] == "halt"
    assert environ["FLOWREX_REASON"] == "orders doubled"
    assert environ["FLOWREX_ATTEMPT"] == "2"
