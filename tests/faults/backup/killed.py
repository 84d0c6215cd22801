"""A process that backs up, or prunes, and is made to be killed: the world comes in as JSON."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

from agents.backup import prune, take, verify
from agents.backup.access import Access
from agents.backup.catalog import Catalog
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
    source = Source(
        settings(world["server"]), "dev", "node-1", books, FakeKeys(), OwnLogins(access)
    )
    manifest = take.take(source, "manual", name=world["name"])
    verify.verify(Reader(books, FakeKeys(), access), manifest.name, by="test", now=source.now)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    main()
