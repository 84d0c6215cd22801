"""A node with physical backups, without PostgreSQL, pgBackRest or a store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from agents.alarms import Alarms
from agents.context import Context
from agents.physical.archiver import Archiver
from agents.physical.keys import Keys
from agents.physical.stanza import Stanza
from agents.physical.upkeep import Upkeep
from agents.physical.watch import Watch
from agents.settings.load import defaults
from flowrex.errors import FlowrexError
from flowrex.secret import Secret
from flowrex.settings.declare import Duration
from flowrex.testing.clock import FakeClock
from flowrex.testing.consul import FakeConsul
from flowrex.testing.s3 import FakeS3
from tests.unit.agents.physical.repository import document
from tests.unit.agents.physical.test_archiver import QUIET

GOOD = "stanza: flowrex\nstatus: ok\n"
BAD = "stanza: flowrex\nstatus: error\n  archiveId: 15-1, total WAL checked: 2\n    other: 1\n"
FOLDER = "physical/archive/flowrex/15-1/0000000100000000"


@dataclass
class Programs:
    """What pgBackRest and psql would say.

    Attributes:
        info: the repository's description.
        archiver: PostgreSQL's answer.
        verify: pgBackRest's words.
        fails: what each verb raises.
        ran: the verbs that were called.
    """

    info: str = field(default_factory=document)
    archiver: Archiver = QUIET
    verify: str = GOOD
    fails: dict[str, FlowrexError] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    async def __call__(self, argv: list[str], *, limit_s: float, given: str = "") -> str:
        """Answer as the program would."""
        verb = "psql" if argv[0].endswith("psql") else argv[-1]
        self.ran.append(f"{verb} {argv[3]}" if verb == "backup" else verb)
        if verb in self.fails:
            raise self.fails[verb]
        said = {"psql": json.dumps(asdict(self.archiver)), "info": self.info, "verify": self.verify}
        return said.get(verb, "")


@dataclass
class Rig:
    """The node."""

    folder: Path
    programs: Programs = field(default_factory=Programs)
    clock: FakeClock = field(default_factory=FakeClock)
    s3: FakeS3 = field(default_factory=FakeS3)
    consul: FakeConsul = field(default_factory=FakeConsul)
    keys: Keys | FlowrexError = field(
        default_factory=lambda: Keys(Secret("words"), Secret("access"), Secret("hidden"))
    )

    def __post_init__(self) -> None:
        settings = defaults()
        physical = replace(
            settings.physical,
            enabled=True,
            endpoint="https://s3.example.com",
            config_file=str(self.folder / "pgbackrest.conf"),
            jitter=Duration("0s"),
        )
        settings = replace(settings, state_dir=str(self.folder / "state"), physical=physical)
        self.s3.ensure_bucket(settings.s3.backups_bucket)
        self.bucket = settings.s3.backups_bucket
        self.s3.now = self.clock.now()
        self.context = context = Context(
            settings=settings,
            node="node-1",
            consul=lambda: self.consul,  # type: ignore[arg-type,return-value]
            vault=lambda: None,  # type: ignore[arg-type,return-value]
            s3=lambda: self.s3,  # type: ignore[arg-type,return-value]
            clock=self.clock,
        )
        self.stanza = stanza = Stanza(settings, runner=self.programs)
        self.alarms = Alarms(self.clock, self.folder / "alarms.json")
        self.watch = Watch(context, stanza, self.alarms, self._keys)
        self.upkeep = Upkeep(context, stanza, self.watch, self.alarms)

    def archive(self, *numbers: int) -> None:
        """Put segments into the store."""
        for number in numbers:
            name = f"{1:08X}{0:08X}{number:08X}-{'0' * 40}.zst"
            self.s3.put(self.bucket, f"{FOLDER}/{name}", b"wal")

    def _keys(self) -> Keys:
        if isinstance(self.keys, FlowrexError):
            raise self.keys
        return self.keys
