"""A process that backs up, prunes or restores, and is made to be killed.

The world comes in as JSON. A restore kills itself, at one of its statements; the others are killed
from outside, at one of their requests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents.backup import prune, restore, take, verify
from agents.backup.access import Access, Server
from agents.backup.catalog import Catalog
from agents.backup.fill import Target
from agents.backup.psql import Session
from agents.backup.retention import Policy
from agents.backup.take import Source
from agents.backup.verify import Reader
from tests import gateway
from tests.faults.backup.conftest import OwnLogins, settings
from tests.unit.agents.backup.making import FakeKeys


def main() -> None:
    world = json.loads(sys.argv[1])
    store = gateway.client(world["address"])
    books = Catalog(lambda: store, world["bucket"], "flowrex")
    access = Access(world["user"])
    if world["what"] == "prune":
        # Everything but the last good one is too old.
        none = timedelta(0)
        policy = Policy(daily=none, weekly=none, monthly=none)
        prune.prune(books, policy, datetime.fromisoformat(world["now"]))
        return
    if world["what"] == "restore":
        kill_at_statement(world["at"], world["when"])
        target = Target(access, Server.parse(world["server"]))
        reader = Reader(books, FakeKeys(), access)
        origin = restore.of_backup(reader, world["name"], target)
        restore.restore(origin, target, now=lambda: datetime.now(UTC))
        return
    source = Source(
        settings(world["server"]),
        "dev",
        "node-1",
        books,
        FakeKeys(),
        OwnLogins(access),  # type: ignore[arg-type]
    )
    manifest = take.take(source, "manual", name=world["name"])
    verify.verify(Reader(books, FakeKeys(), access), manifest.name, by="test", now=source.now)


def kill_at_statement(number: int, when: str) -> None:
    """Let this process kill itself before or after its n-th statement."""
    ask, asked = Session.ask, 0

    def counted(session: Session, statement: str) -> list[list[str]]:
        nonlocal asked
        asked += 1
        if asked == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        rows = ask(session, statement)
        if asked == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return rows

    Session.ask = counted  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    main()
