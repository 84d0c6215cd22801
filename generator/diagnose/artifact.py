"""What Nomad says of an artifact that it could not download."""

from __future__ import annotations

import re

from flowrex.nomad import TaskEvent
from generator import mask
from generator.diagnose.cause import Case, Cause, Rank, flat

_EVENT = "Failed Artifact Download"
_FAILED = re.compile(r'failed to download artifact "(?P<url>[^"]*)": (?P<why>.*)')
_STATUS = re.compile(r"bad response code: (\d+)")
_DIGEST = re.compile(r"Checksums did not match.*Expected: (\S+) Got: (\S+)(?: \*(\w+)\.\w+)?")
_DIAL = re.compile(r"(?:dial tcp|read tcp|lookup) .*")
_ANSWERS = {"401": "wants a login", "403": "refuses it", "404": "does not have it"}


def read(event: TaskEvent, case: Case) -> Cause | None:
    """Return the reason that an event gives; None for an event of another subject."""
    if event.type != _EVENT:
        return None
    message = mask.shapes(flat(event.message))
    found = _FAILED.match(message)
    if found is None:
        return Cause(Rank.BEGIN, f"its artifact can't be had: {message}", case.rendered)
    url, why = found["url"], found["why"].replace("failed to download artifact: ", "")
    push = f"Build it and push it again: flowrexctl build --push {case.environment}"
    if status := _STATUS.search(why):
        answer = _ANSWERS.get(status[1], "fails")
        return Cause(
            Rank.BEGIN,
            f"its artifact {url} can't be had: the server {answer} (HTTP {status[1]})",
            push,
        )
    if digest := _DIGEST.search(why):
        return Cause(
            Rank.BEGIN,
            f"its artifact {url} is not the one that the job names: its {digest[3] or 'checksum'} "
            f"is {digest[2]}, and the job wants {digest[1]}",
            push,
        )
    if dial := _DIAL.search(why):
        return Cause(
            Rank.BEGIN,
            f"its artifact {url} can't be had: its server does not answer ({dial[0]})",
            f"Ask it from {case.allocation.node}: curl -I {url}",
        )
    return Cause(Rank.BEGIN, f"its artifact {url} can't be had: {_short(why)}", push)


def _short(why: str) -> str:
    # Where on the node it was unpacked helps nobody.
    return re.sub(r" for /\S+/archive", "", why)
