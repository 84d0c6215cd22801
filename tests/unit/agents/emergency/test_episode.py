"""Which changes of the switch make up one emergency, and what each of them asks for."""

from __future__ import annotations

from typing import Any

import pytest

from agents.emergency.episode import (
    Episode,
    as_document,
    follow,
    from_document,
    marked,
    resumed,
)
from flowrex.emergency import NORMAL, Emergency, Level

HALT = Emergency(Level.HALT, "orders doubled", "ann", "2026-03-01T12:00:00+00:00")
FLATTEN = Emergency(Level.FLATTEN, "worse", "ann", "2026-03-01T12:05:00+00:00")
OFF = Emergency(Level.NORMAL, "replaced", "ann", "2026-03-01T12:09:00+00:00")
BARE = Emergency(Level.HALT)


def after(*readings: tuple[Emergency, int], hooks: tuple[str, ...] = ("10-page",)) -> Any:
    episode: Episode | None = None
    for number, (said, index) in enumerate(readings):
        episode = follow(episode, said, index, seen=f"t{number}", hooks=hooks, backup=True)
    return episode


def kinds(episode: Episode) -> list[list[str]]:
    return [[step.kind for step in change.steps] for change in episode.changes]


def test_while_the_switch_is_normal_there_is_none() -> None:
    assert after((NORMAL, 3), (NORMAL, 4)) is None


def test_it_begins_with_every_step() -> None:
    episode = after((NORMAL, 3), (HALT, 5))
    assert kinds(episode) == [["audit", "notify", "hook", "backup"]]
    assert not episode.over


def test_the_same_reading_again_changes_nothing() -> None:
    episode = after((HALT, 5))
    assert follow(episode, HALT, 5, seen="later", hooks=(), backup=True) is episode


def test_a_change_is_told_and_run_again_but_not_backed_up_again() -> None:
    episode = after((HALT, 5), (FLATTEN, 9))
    assert kinds(episode)[1] == ["audit", "notify", "hook"]
    assert [change.id for change in episode.changes] == ["5-halt", "9-flatten"]


def test_its_end_is_told_too() -> None:
    episode = after((HALT, 5), (OFF, 9))
    assert episode.over
    assert kinds(episode)[1] == ["audit", "notify", "hook"]


def test_the_next_emergency_is_another_with_a_backup_of_its_own() -> None:
    episode = after((HALT, 5), (OFF, 9), (OFF, 12), (BARE, 15))
    assert kinds(episode) == [["audit", "notify", "hook", "backup"]]


def test_the_same_words_with_their_time_under_another_index_are_the_same_emergency() -> None:
    episode = after((HALT, 500), (HALT, 7))
    assert len(episode.changes) == 1
    assert episode.changes[0].id == "500-halt"
    assert follow(episode, HALT, 7, seen="x", hooks=(), backup=True) is episode


def test_a_bare_word_under_another_index_may_be_another_emergency_and_is_told() -> None:
    assert [one.id for one in after((BARE, 5), (BARE, 9)).changes] == ["5-halt", "9-halt"]


def test_very_many_changes_are_bounded_and_keep_the_first_and_the_last() -> None:
    readings = [(Emergency(Level.HALT, str(n), "ann", str(n)), n + 1) for n in range(200)]
    episode = after(*readings)
    assert len(episode.changes) == 50
    assert (episode.changes[0].index, episode.changes[-1].index) == (1, 200)


def test_steps_are_marked_one_by_one() -> None:
    episode = after((HALT, 5), hooks=("a", "b"))
    change = episode.changes[0]
    hook = next(one for one in change.steps if one.name == "a")
    episode = marked(episode, change, hook, state="done", attempts=1)
    assert [(s.kind, s.name) for _, s in episode.open_steps] == [
        ("audit", ""),
        ("notify", ""),
        ("hook", "b"),
        ("backup", ""),
    ]


@pytest.mark.parametrize(("repeat", "state"), [(False, "cut"), (True, "due")])
def test_a_hook_that_was_cut_off_is_run_again_only_where_that_is_allowed(
    repeat: bool, state: str
) -> None:
    episode = after((HALT, 5))
    for _, step in list(episode.open_steps):
        episode = marked(episode, episode.changes[0], step, state="begun", attempts=1)
    found = {s.kind: s.state for s in resumed(episode, repeat_hooks=repeat).changes[0].steps}
    assert found == {"audit": "due", "notify": "due", "backup": "due", "hook": state}


def test_it_comes_back_from_its_document_as_it_was() -> None:
    episode = after((HALT, 500), (HALT, 7), (FLATTEN, 9), hooks=("a", "b"))
    assert from_document(as_document(episode)) == episode


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"changes": []},
        {"changes": [{}]},
        {"changes": [{**as_document(after((HALT, 5)))["changes"][0], "level": "panic"}]},
        {"changes": [{**as_document(after((HALT, 5)))["changes"][0], "steps": [{"kind": "x"}]}]},
    ],
)
def test_what_is_none_is_not_read_as_one(document: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_document(document)
