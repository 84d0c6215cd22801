"""One emergency as a node lives through it: changes of the switch, and steps to be done. Pure.

An episode begins when the switch leaves normal and is over when it is normal again. Each change of
the switch in between has steps of its own; the backup is taken once in an episode. A step is `due`,
`begun`, or at an end: `done`, `failed` or `cut` (a dying agent left it half-way).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from flowrex.emergency import Emergency, Level

Kind = Literal["audit", "notify", "hook", "backup"]
State = Literal["due", "begun", "done", "failed", "cut"]

KINDS: tuple[Kind, ...] = get_args(Kind)
_STATES = get_args(State)
_KEPT_CHANGES = 50


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        kind: what.
        name: the hook's; empty for the others.
        state: how far it is.
        attempts: how often it was begun.
        detail: how it ended, in a sentence.
    """

    kind: Kind
    name: str = ""
    state: State = "due"
    attempts: int = 0
    detail: str = ""

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in {"due", "begun"}


@dataclass(frozen=True)
class Change:
    """One value of the switch.

    Attributes:
        index: Consul's index of it.
        emergency: what it says.
        seen: when this node saw it, an ISO 8601 time.
        steps: what this node does about it.
        renumbered: the index that it has since Consul's data was restored; 0 where it was not.
    """

    index: int
    emergency: Emergency
    seen: str
    steps: tuple[Step, ...] = ()
    renumbered: int = 0

    @property
    def id(self) -> str:
        """A name for files and messages, the same after a restart."""
        return f"{self.index}-{self.emergency.level.word}"


@dataclass(frozen=True)
class Episode:
    """One emergency.

    Attributes:
        changes: the oldest first; at least one.
    """

    changes: tuple[Change, ...] = field(default=())

    @property
    def over(self) -> bool:
        """Whether the switch was normal again."""
        return not self.changes[-1].emergency.active

    @property
    def open_steps(self) -> Iterator[tuple[Change, Step]]:
        """Every step that is still to be done, in order."""
        return ((change, step) for change in self.changes for step in change.steps if step.open)


def follow(
    episode: Episode | None,
    said: Emergency,
    index: int,
    *,
    seen: str,
    hooks: Sequence[str],
    backup: bool,
) -> Episode | None:
    """Return the episode after a reading; the same object where nothing has changed.

    Args:
        episode: the last one.
        said: what the switch says.
        index: Consul's index of it.
        seen: the time.
        hooks: the names of the node's hooks.
        backup: whether this node takes backups.
    """
    if episode is None or episode.over:
        if not said.active:
            return episode
        steps = _steps(hooks, backup=backup)
        return Episode((Change(index, said, seen, steps),))
    last = episode.changes[-1]
    if _same(last, said, index):
        if _index(last) == index:
            return episode
        # Consul's data was restored: the same words under another index.
        renumbered = replace(last, renumbered=index)
        return Episode((*episode.changes[:-1], renumbered))
    change = Change(index, said, seen, _steps(hooks, backup=False))
    # The first has the backup; those in the middle of a very long one may go.
    first, *rest = episode.changes
    return Episode((first, *rest[-(_KEPT_CHANGES - 2) :], change))


def _same(last: Change, said: Emergency, index: int) -> bool:
    if last.emergency != said:
        return False
    # Words without a time may have been written anew after an end that nobody saw.
    return _index(last) == index or bool(said.at)


def _index(change: Change) -> int:
    return change.renumbered or change.index


def _steps(hooks: Sequence[str], *, backup: bool) -> tuple[Step, ...]:
    before = (Step("audit"), Step("notify"))
    return (*before, *(Step("hook", name) for name in hooks), *([Step("backup")] if backup else []))


def marked(episode: Episode, change: Change, step: Step, **news: Any) -> Episode:
    """Return the episode with one step as it is now.

    Args:
        episode: as it was.
        change: the step's.
        step: which.
        news: its fields that are other than before.
    """

    def renew(one: Change) -> Change:
        if one.index != change.index or one.seen != change.seen:
            return one
        steps = tuple(
            replace(each, **news) if (each.kind, each.name) == (step.kind, step.name) else each
            for each in one.steps
        )
        return replace(one, steps=steps)

    return Episode(tuple(renew(one) for one in episode.changes))


def resumed(episode: Episode, *, repeat_hooks: bool) -> Episode:
    """Return the episode as a new life of the agent takes it up.

    A hook that was cut off may have done what must not be done twice, so it is not run again unless
    the node says so. The other steps can be repeated.
    """

    def again(step: Step) -> Step:
        if step.state != "begun":
            return step
        if step.kind == "hook" and not repeat_hooks:
            return replace(step, state="cut", detail="the agent ended while it ran")
        return replace(step, state="due")

    return Episode(
        tuple(replace(one, steps=tuple(map(again, one.steps))) for one in episode.changes)
    )


def as_document(episode: Episode) -> dict[str, Any]:
    """Return the episode as JSON."""
    return {
        "changes": [
            {
                "index": one.index,
                "level": one.emergency.level.word,
                "reason": one.emergency.reason,
                "by": one.emergency.by,
                "at": one.emergency.at,
                "problem": one.emergency.problem,
                "seen": one.seen,
                "renumbered": one.renumbered,
                "steps": [vars(step) for step in one.steps],
            }
            for one in episode.changes
        ]
    }


def from_document(document: Any) -> Episode:
    """Read an episode.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    levels = {level.word: level for level in Level}
    changes = []
    for one in document["changes"]:
        texts = {name: str(one[name]) for name in ("reason", "by", "at", "problem")}
        emergency = Emergency(levels[one["level"]], **texts)
        steps = tuple(_step(each) for each in one["steps"])
        index, renumbered = int(one["index"]), int(one["renumbered"])
        changes.append(Change(index, emergency, str(one["seen"]), steps, renumbered))
    if not changes:
        raise ValueError("it has no change")
    return Episode(tuple(changes))


def _step(document: Any) -> Step:
    kind, state = document["kind"], document["state"]
    if kind not in KINDS or state not in _STATES:
        raise ValueError(f"{kind!r} in state {state!r} is no step")
    return Step(
        kind, str(document["name"]), state, int(document["attempts"]), str(document["detail"])
    )
