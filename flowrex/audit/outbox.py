"""What operators do, on its way into the audit trail.

The deployer has no file that is shipped, so it leaves an entry in Consul for each verb that changes
something, when it begins and when it has ended. The agent that holds the lock writes each into its
own part of the trail, and takes it away once it is on disk.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from flowrex import keys
from flowrex.audit.record import Detail, Record
from flowrex.consul import ConsulClient

KIND = "operator"
UNREADABLE = "unreadable"
_LONGEST = 2000
_ID = re.compile(r"[0-9A-Za-z.-]{1,80}")


@dataclass(frozen=True)
class Entry:
    """One thing that an operator did.

    Attributes:
        id: sorts by time; it is in the trail as the request's id.
        at: when, ISO 8601 with a zone.
        actor: who.
        source: the machine that it was done from.
        environment: what to.
        verb: as it is typed, for example `emergency off`.
        outcome: `begun`, `done`, or a word for how it ended.
        detail: what else matters, by name: a release's id, a reason, a message.
    """

    id: str
    at: str
    actor: str
    source: str
    environment: str
    verb: str
    outcome: str
    detail: Mapping[str, Detail] = field(default_factory=dict)

    def record(self) -> Record:
        """Return what the trail holds of it."""
        return Record(
            time=datetime.fromisoformat(self.at),
            kind=KIND,
            request_id=self.id,
            actor=self.actor,
            path=f"flowrexctl/{self.verb.replace(' ', '/')}/{self.environment}",
            source=self.source,
            detail={"outcome": self.outcome, **self.detail},
        )


def leave(
    consul: ConsulClient,
    environment: str,
    verb: str,
    outcome: str,
    *,
    by: str,
    detail: Mapping[str, Detail],
) -> None:
    """Leave an entry for the agents to take.

    Args:
        consul: where.
        environment: what was changed.
        verb: as it is typed.
        outcome: `begun`, or how it ended.
        by: the person and the machine, as `who@host`.
        detail: what else matters; None is left out.

    Raises:
        ServerUnreachable: it is not written.
    """
    now = datetime.now(UTC)
    who, _, host = by.partition("@")
    entry = Entry(
        id=f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}",
        at=now.isoformat(timespec="microseconds"),
        actor=who,
        source=host,
        environment=environment,
        verb=verb,
        outcome=outcome,
        detail={name: value for name, value in detail.items() if value is not None},
    )
    consul.kv_put(keys.outbox_entry(environment, entry.id), json.dumps(asdict(entry)))


def read(key: str, value: bytes) -> Record:
    """Return what the trail holds of an entry; of one that can't be read, what it said.

    Args:
        key: the entry's.
        value: the entry's.
    """
    try:
        entry = Entry(**json.loads(value))
        if not _ID.fullmatch(entry.id) or not key.endswith(f"/{entry.id}"):
            raise ValueError("its id is not its key's")
        found = entry.record()
        if found.time.tzinfo is None:
            raise ValueError("its time has no zone")
        json.dumps(dict(found.detail), allow_nan=False)
    except (ValueError, TypeError, AttributeError) as error:
        return Record(
            time=datetime.now(UTC),
            kind=UNREADABLE,
            request_id=key.rpartition("/")[2][:80],
            path=key,
            detail={
                "problem": str(error)[:_LONGEST],
                "text": value.decode(errors="replace")[:_LONGEST],
            },
        )
    return found
