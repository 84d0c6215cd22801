"""One line of the audit trail, and the chain that ties it to the line before it. Pure.

A line is one JSON object in ASCII, without blanks, in a fixed order of fields, ended by a newline:

    {"time":…,"kind":…,"request_id":…,"actor":…,"method":…,"path":…,"source":…,"user_agent":…,
     "status":…,"duration_ms":…,"detail":{…},"chain":…,"seq":…,"prev":…,"hash":…}

`hash` is the SHA-256 of the line's bytes before `,"hash":`, so a reader checks bytes as they were
written and need not know how JSON was laid out. `prev` is the hash of the line before it, or 64
zeros in a chain's first line, whose `seq` is 1. A chain belongs to one writer: each process begins
one of its own, and goes on with it in the next file when it rotates.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flowrex.errors import FlowrexError

NO_PREVIOUS = "0" * 64
Detail = str | int | float | bool | None

_HASH = b',"hash":"'
_HASH_FIELD = len(_HASH) + 64 + len(b'"}')
# The end of a line before its hash. `detail` is the only nested field and stands before `chain`,
# and a quotation mark inside a text is written `\"`, so this matches in one place only.
_LINK = re.compile(rb'"chain":"([0-9a-f]{32})","seq":([1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})"\Z')
# `_LINK` is at most this long: matching the end alone keeps checking cheap.
_LINK_FIELD = 160


class ChainBroken(FlowrexError):
    """A line of the audit trail is not the one that followed when it was written."""

    exit_status = 7


@dataclass(frozen=True, kw_only=True)
class Record:
    """What happened.

    Attributes:
        time: when, an aware time.
        kind: `request` (it changed something), `refusal` (it was turned away), or what an own
            action of the platform is called: `emergency`, `flatten`, `expired`, …
        request_id: the request that it belongs to; empty where there is none.
        actor: who; None where nobody is known.
        method: the HTTP method; empty where it was no request.
        path: the path, without its query: people put tokens there.
        source: the client's address.
        user_agent: what the client calls itself.
        status: the HTTP status of the answer; 0 where there is none.
        duration_ms: from the request's arrival to its answer, in milliseconds.
        detail: what else matters, by name: an order's id, a level, a reason.
    """

    time: datetime
    kind: str
    request_id: str = ""
    actor: str | None = None
    method: str = ""
    path: str = ""
    source: str = ""
    user_agent: str = ""
    status: int = 0
    duration_ms: float = 0
    detail: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """The end of a chain: what the next line refers to.

    Attributes:
        chain: the chain's name, 32 hexadecimal digits.
        seq: the number of its last line; 0 before the first.
        hash: that line's hash.
    """

    chain: str
    seq: int = 0
    hash: str = NO_PREVIOUS


def begin() -> Link:
    """Return a chain of its own for a writer that starts."""
    return Link(secrets.token_hex(16))


def append(record: Record, link: Link) -> tuple[bytes, Link]:
    """Return the line to write, newline included, and the chain's new end.

    The new end counts only once the whole line is on disk: where writing failed, the next record is
    appended to the old one.

    Args:
        record: what happened.
        link: the chain's end so far.

    Raises:
        ValueError: a number is not finite, or the time has no zone.
    """
    if record.time.tzinfo is None:
        raise ValueError("an audit record's time needs a zone")
    seq = link.seq + 1
    body = json.dumps(
        {
            "time": record.time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z",
            "kind": record.kind,
            "request_id": record.request_id,
            "actor": record.actor,
            "method": record.method,
            "path": record.path,
            "source": record.source,
            "user_agent": record.user_agent,
            "status": record.status,
            "duration_ms": round(record.duration_ms, 3),
            "detail": dict(record.detail),
            "chain": link.chain,
            "seq": seq,
            "prev": link.hash,
        },
        separators=(",", ":"),
        allow_nan=False,
    ).encode("ascii")[:-1]
    digest = hashlib.sha256(body).hexdigest()
    return body + _HASH + digest.encode() + b'"}\n', Link(link.chain, seq, digest)


@dataclass(frozen=True)
class Linked:
    """A line's place in its chain, its own hash checked.

    Attributes:
        prev: the hash that it says the line before it has.
        link: the chain's end after it.
    """

    prev: str
    link: Link


def read_link(line: bytes) -> Linked | None:
    """Return a line's place in its chain, or None for a line that is of no chain.

    Args:
        line: one line, with or without its newline.

    Raises:
        ChainBroken: the line's bytes are not those that its hash was made of.
    """
    line = line.rstrip(b"\n")
    if line[-_HASH_FIELD : len(line) - _HASH_FIELD + len(_HASH)] != _HASH:
        return None
    body = line[:-_HASH_FIELD]
    found = _LINK.search(body, max(0, len(body) - _LINK_FIELD))
    if found is None:
        return None
    chain, seq, prev = found.group(1).decode(), int(found.group(2)), found.group(3).decode()
    digest = hashlib.sha256(body).hexdigest()
    if line[-66:] != f'{digest}"}}'.encode():
        raise ChainBroken(f"record {seq} of the chain {chain} was changed: its hash does not fit")
    return Linked(prev, Link(chain, seq, digest))


def follow(line: bytes, link: Link) -> Link:
    """Check that a line is the one that follows, and return the chain's new end.

    Args:
        line: one line, with or without its newline.
        link: the chain's end before it.

    Raises:
        ChainBroken: it was changed, or it is not the line that follows.
    """
    found = read_link(line)
    if found is None:
        raise ChainBroken(
            f"what follows record {link.seq} of the chain {link.chain} is no chained record"
        )
    place = f"record {found.link.seq} of the chain {found.link.chain}"
    if found.link.chain != link.chain or found.link.seq != link.seq + 1:
        raise ChainBroken(
            f"{place} stands where record {link.seq + 1} of the chain {link.chain} should be"
        )
    if found.prev != link.hash:
        raise ChainBroken(f"{place} does not follow the record before it: that one was changed")
    return found.link
