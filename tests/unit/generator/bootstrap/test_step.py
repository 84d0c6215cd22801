from __future__ import annotations

import pytest

from generator.bootstrap.report import Report, State, Step
from generator.bootstrap.step import ensure


class Change:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.mark.parametrize(
    ("present", "same", "state"),
    [
        (True, True, State.PRESENT),
        (True, False, State.DIFFERS),
        (False, True, State.MISSING),
        (False, False, State.MISSING),
    ],
)
def test_a_check_reports_and_changes_nothing(present: bool, same: bool, state: State) -> None:
    change = Change()
    step = ensure("it", change, present=present, same=same, check_only=True)
    assert (step.state, change.times) == (state, 0)


@pytest.mark.parametrize(
    ("present", "same", "state", "times"),
    [
        (True, True, State.PRESENT, 0),
        (True, False, State.UPDATED, 1),
        (False, True, State.CREATED, 1),
        (False, False, State.CREATED, 1),
    ],
)
def test_a_change_is_made_once_and_only_where_it_is_needed(
    present: bool, same: bool, state: State, times: int
) -> None:
    change = Change()
    step = ensure("it", change, present=present, same=same, check_only=False)
    assert (step.state, change.times) == (state, times)


def test_the_reason_is_told_where_something_differs_only() -> None:
    for present, detail in ((True, "why"), (False, "")):
        step = ensure("it", Change(), present=present, same=False, check_only=True, detail="why")
        assert step.detail == detail


def test_a_report_is_complete_when_nothing_lacks() -> None:
    assert Report((Step("a", State.PRESENT), Step("b", State.CREATED))).complete
    assert not Report((Step("a", State.PRESENT), Step("b", State.MISSING))).complete
    assert not Report((Step("a", State.DIFFERS),)).complete


def test_a_report_as_a_document_names_every_step() -> None:
    report = Report((Step("a", State.UPDATED),)) + Report((Step("b", State.MISSING, "why"),))
    assert report.as_document() == {
        "complete": False,
        "changed": 1,
        "steps": [
            {"name": "a", "state": "updated", "detail": ""},
            {"name": "b", "state": "missing", "detail": "why"},
        ],
    }
