"""Which requests are taken, and which records of them are forgotten. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from agents.requests.journal import Entry
from flowrex.node_requests import Answer, Request

# The operator's clock may be a little ahead of the node's.
_AHEAD = timedelta(minutes=2)


def objection(
    request: Request, *, now: datetime, max_age_s: float, kinds: Collection[str], node: str
) -> str:
    """Return why a request is not done; empty where it is.

    Args:
        request: what is asked.
        now: the node's time.
        max_age_s: seconds after which nobody waits for it any more: an agent that comes back after
            a day must not restore what was asked for yesterday.
        kinds: what this node can do.
        node: its name, for the sentence.
    """
    if request.kind not in kinds:
        can = ", ".join(sorted(kinds)) or "nothing"
        return f"the agent of {node} does no {request.kind}; it does {can}"
    try:
        at = datetime.fromisoformat(request.at)
    except ValueError:
        return f"`at` is {request.at!r} and no ISO 8601 time"
    if at.tzinfo is None:
        return f"`at` is {request.at!r} and has no time zone"
    if now - at > timedelta(seconds=max_age_s):
        return (
            f"it was asked at {request.at}, and it is {now.isoformat(timespec='seconds')} on {node}"
            f" now: what is older than {max_age_s:.0f} s is not done any more; ask again"
        )
    if at - now > _AHEAD:
        return (
            f"it was asked at {request.at}, and it is {now.isoformat(timespec='seconds')} on {node}"
            " only: one of the two clocks is wrong"
        )
    return ""


def forgotten(
    entries: Iterable[Entry],
    answers: Iterable[Answer],
    *,
    listed: Collection[str],
    now: datetime,
    keep_s: float,
) -> set[str]:
    """Return the ids whose journal and answer may go.

    Only of requests that are not in Consul any more, so that none is done again or answered anew.

    Args:
        entries: the journal.
        answers: of this node, read before the requests were listed.
        listed: the ids of the requests in Consul.
        now: the node's time.
        keep_s: seconds for which an answer is kept.
    """
    last = {entry.id: entry.answer for entry in entries if entry.step == "ended"}
    running = {entry.id for entry in entries if entry.step != "ended"}
    for answer in answers:
        last.setdefault(answer.id, answer)
    limit = now - timedelta(seconds=keep_s)
    return {
        one
        for one, answer in last.items()
        if one not in listed and one not in running and _before(answer, limit)
    }


def _before(answer: Answer | None, limit: datetime) -> bool:
    try:
        return answer is None or datetime.fromisoformat(answer.at) < limit
    except (ValueError, TypeError):
        return True  # nobody can say when it was
