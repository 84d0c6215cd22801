"""What a node remembers of its requests: a file for each, written before its work begins.

    claiming   the answer `accepted` is being written; nothing is done yet
    begun      the work may have begun: it is never begun again, unless its handler resumes
    ended      the answer is final, whether Consul has it already or not

A file that can't be read counts as `begun`: doing a restore twice is worse than not answering well.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic
from flowrex.node_requests import Answer, Request, parse_answer, parse_request

_log = logging.getLogger(__name__)

Step = Literal["claiming", "begun", "ended"]
_STEPS = get_args(Step)
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SUFFIX = ".json"


@dataclass(frozen=True)
class Entry:
    """One request.

    Attributes:
        id: the request's.
        step: how far it is.
        claim: the word by which this node knows its own answers again.
        request: what was asked; None where the file could not be read.
        answer: the last word; None before it is `ended`.
    """

    id: str
    step: Step
    claim: str
    request: Request | None
    answer: Answer | None = None


def may_be_kept(request_id: str) -> bool:
    """Tell whether an id can be a file's name."""
    return _SAFE.fullmatch(request_id) is not None


class Journal:
    """A folder with a file for each request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> dict[str, Entry]:
        """Return every entry by its id, the oldest first."""
        return {entry.id: entry for entry in self._entries()}

    def write(self, entry: Entry) -> None:
        """Write an entry so that a crash leaves the old or the new one."""
        document = {
            "step": entry.step,
            "claim": entry.claim,
            "request": entry.request.encode() if entry.request else None,
            "answer": entry.answer.encode() if entry.answer else None,
        }
        write_atomic(self._path(entry.id), json.dumps(document), mode=0o600)

    def remove(self, request_id: str) -> None:
        """Forget an entry."""
        self._path(request_id).unlink(missing_ok=True)

    def _path(self, request_id: str) -> Path:
        return self._folder / f"{request_id}{_SUFFIX}"

    def _entries(self) -> Iterator[Entry]:
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            identity = path.name.removesuffix(_SUFFIX)
            if may_be_kept(identity):  # else a temporary file of a write that was cut off
                yield _read(path, identity)


def _read(path: Path, identity: str) -> Entry:
    try:
        document = json.loads(path.read_bytes())
        step, claim = document["step"], str(document["claim"])
        if step not in _STEPS:
            raise ValueError(f"step {step!r}")
        request, answer = document["request"], document["answer"]
        return Entry(
            identity,
            step,
            claim,
            parse_request(identity, request.encode()) if request else None,
            parse_answer(identity, answer.encode()) if answer else None,
        )
    except (
        ConfigurationError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        _log.error(
            "a request's journal can't be read; it counts as begun",
            extra={"path": str(path), "error": str(error)},
        )
        return Entry(identity, "begun", "", None)
