"""Physical backups and snapshots by `flowrexctl backup --kind`, and `restore --to` a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flowrex.command import output
from flowrex.node_requests import KINDS, Request, State
from generator import access, audit
from generator.cli import context, main
from generator.environment import Environment
from generator.restore import progress
from tests.unit.generator.answering import answering, publish
from tests.unit.generator.cli.running import Flowrexctl, Run
from tests.unit.generator.cli.test_backup_and_restore import GOOD, OLD, YOUNG, runs
from tests.unit.generator.rolling import Rig, spec

LABEL = "20260301-023000F"
SAID = "Restored from the physical backup 20260301-023000F, and the WAL since."
Ended = tuple[State, str, Mapping[str, Any]]
PHYSICAL = {
    "label": LABEL,
    "name": LABEL,
    "kind": "full",
    "started": "2026-03-01T02:30:00+00:00",
    "stopped": "2026-03-01T02:35:00+00:00",
    "first_wal": "00A",
    "last_wal": "00B",
    "first_lsn": "0/2000028",
    "last_lsn": "0/2000100",
    "size": 5_000_000,
    "stored": 2048,
    "prior": None,
    "error": False,
    "hold": None,
    "drilled": None,
    "marks": {},
    "seconds": 1.5,
}
SNAPSHOT = {**GOOD, "of": "vault"}


class Agent:
    """A node with everything switched on."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.moment: Ended = (
            "done",
            "",
            {"name": LABEL, "to": "time 14:05", "kept_as": "old", "note": "do it"},
        )
        self.previewed: Ended | None = None

    def __call__(self, request: Request) -> Ended:
        self.asked.append(request)
        found: dict[str, object]
        match request.kind:
            case "list":
                return "done", "", {"database": "flowrex", "backups": [GOOD, YOUNG]}
            case "restore" if "dry_run" in request.arguments:
                return "done", "", {"sentences": ["lost"], "loss": {}}
            case "restore":
                return "done", "", {"name": request.arguments["name"]}
            case "physical_restore" if "dry_run" in request.arguments:
                found = {"name": LABEL, "database": "flowrex", "sentences": [SAID]}
                return self.previewed or ("done", "", found)
            case "physical_restore":
                return self.moment
            case "physical_backup":
                return "done", "", PHYSICAL
            case "physical_list":
                found = {"backups": [PHYSICAL], "oldest_wal": "00A", "newest_wal": "00B"}
                return "done", "", {**found, "problem": ""}
            case "snapshot_take":
                return "done", "", {"taken": [{"of": "vault", "name": "manual_1", "bytes": 2048}]}
            case "snapshot_list":
                return "done", "", {"snapshots": [SNAPSHOT]}
            case "snapshot_verify":
                bad = {"of": "nomad", "name": "b", "good": False, "text": "no end"}
                good = {"of": "vault", "name": "a", "good": True, "text": "read"}
                return "done", "", {"good": False, "verified": [good, bad]}
            case _:
                return "done", "", {"name": "it", "good": True, "text": "read"}

    def did(self, kind: str) -> list[Mapping[str, str]]:
        return [one.arguments for one in self.asked if one.kind == kind]


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    publish(rig.consul, does=KINDS)
    for job in OLD.values():
        rig.in_service(job)
    rig.nomad.jobs.register(spec("migrate", kind="batch", count=1), expected_index=0)
    for _ in range(3):
        rig.nomad.tick()
    rig.nomad.written.clear()
    return rig


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def flowrexctl(
    rig: Rig,
    agent: Agent,
    dev: Environment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Flowrexctl:
    monkeypatch.setattr(access, "nomad", lambda environment: rig.nomad)
    monkeypatch.setattr(access, "consul", lambda environment: rig.consul)
    monkeypatch.setattr(context, "load_environment", lambda name, overrides=(): dev)
    monkeypatch.setattr(output, "interactive", lambda: False)

    def flowrexctl(*arguments: str) -> Run:
        with answering(rig.consul, agent), pytest.raises(SystemExit) as left:
            main(list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(left.value.code, int)
        return Run(left.value.code, captured.out, captured.err)

    return flowrexctl


@pytest.mark.parametrize(
    ("words", "kind", "arguments", "out"),
    [
        (["now", "--kind", "physical"], "physical_backup", {"type": "diff"}, f"{LABEL}: full, 4.8"),
        (
            ["now", "--kind", "physical", "--type", "full"],
            "physical_backup",
            {"type": "full"},
            "2.0 KiB in the store, in 1.5 s",
        ),
        (["list", "--kind", "physical"], "physical_list", {}, "WAL from 00A to 00B."),
        (["verify", "--kind", "physical"], "physical_verify", {}, "it is good. read"),
        (["drill", "--kind", "physical"], "physical_drill", {"to": "end"}, "it is good. read"),
        (
            ["drill", "--kind", "physical", "--to", "mark-1"],
            "physical_drill",
            {"to": "mark-1"},
            "it is good",
        ),
        (["now", "--kind", "snapshots"], "snapshot_take", {}, "vault: manual_1, 2.0 KiB"),
        (
            ["now", "--kind", "snapshots", "--of", "vault"],
            "snapshot_take",
            {"of": "vault"},
            "vault: manual_1",
        ),
        (["list", "--kind", "snapshots"], "snapshot_list", {}, "vault"),
    ],
)
def test_each_kind_is_asked_for_and_shown(
    flowrexctl: Flowrexctl,
    agent: Agent,
    words: list[str],
    kind: str,
    arguments: dict[str, str],
    out: str,
) -> None:
    verb, *options = words
    done = flowrexctl("backup", verb, "dev", *options)
    assert done.status == 0, done.err
    assert agent.did(kind) == [arguments]
    assert out in done.out
    assert flowrexctl("backup", verb, "dev", *options, "--json").document["result"]


def test_one_broken_snapshot_is_exit_5_and_named(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("backup", "verify", "dev", "--kind", "snapshots")
    assert done.status == 5
    assert "a of vault is good. read" in done.out
    assert "b of nomad is NOT GOOD. no end" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ["now", "dev", "--type", "full"],
        ["now", "dev", "--kind", "physical", "--of", "vault"],
        ["verify", "dev", "some", "--kind", "physical"],
        ["drill", "dev", "--to", "end"],
        ["drill", "dev", "some", "--kind", "physical"],
        ["drill", "dev", "--kind", "snapshots"],
    ],
)
def test_an_option_of_another_kind_is_refused(
    flowrexctl: Flowrexctl, agent: Agent, words: list[str]
) -> None:
    assert flowrexctl("backup", *words).status == 2
    assert agent.asked == []


class TestRestore:
    TIME = "2026-03-01T14:05:00+01:00"

    @pytest.mark.parametrize("to", [TIME, "0/5000060", "before-migration-42", "end"])
    def test_a_moment_is_restored_exactly_where_an_agent_can(
        self, flowrexctl: Flowrexctl, agent: Agent, rig: Rig, to: str
    ) -> None:
        done = flowrexctl("restore", "dev", "--to", to, "--database", "flowrex")
        assert done.status == 0, done.err
        assert SAID in done.err
        assert agent.did("physical_restore")[-1] == {"to": to, "confirm": "flowrex"}
        assert agent.did("restore") == []
        assert "time 14:05 is restored" in done.out
        assert "do it" in done.err, "what is left for an administrator"
        assert runs(rig, "backend")
        (record,) = audit.history(rig.consul, "dev")  # type: ignore[arg-type]
        assert record.details["source"] == "physical"

    def test_a_backup_that_is_named_is_that_backup(
        self, flowrexctl: Flowrexctl, agent: Agent
    ) -> None:
        for words in (["--to", str(GOOD["name"])], []):
            done = flowrexctl("restore", "dev", *words, "--database", "flowrex")
            assert done.status == 0, done.err
            assert f"Restored from the logical backup {GOOD['name']}." in done.err
        assert agent.did("physical_restore") == []

    def test_the_kind_can_be_said(self, flowrexctl: Flowrexctl, agent: Agent) -> None:
        words = ("restore", "dev", "--to", self.TIME, "--database", "flowrex")
        assert flowrexctl(*words, "--kind", "logical").status == 0
        assert agent.did("physical_restore") == []
        assert flowrexctl(*words, "--kind", "physical").status == 0
        assert len(agent.did("restore")) == 2

    def test_where_no_agent_reaches_moments_the_newest_before_is_meant_and_that_is_said(
        self, flowrexctl: Flowrexctl, rig: Rig
    ) -> None:
        publish(rig.consul)
        done = flowrexctl("restore", "dev", "--to", self.TIME, "--database", "flowrex")
        assert done.status == 0, done.err
        assert "no agent restores to the moment itself" in done.err
        missing = flowrexctl("restore", "dev", "--to", self.TIME, "--kind", "physical")
        assert missing.status == 6
        assert "physical.enabled" in missing.err

    def test_a_time_before_the_physical_backups_falls_back_to_an_older_dump_aloud(
        self, flowrexctl: Flowrexctl, agent: Agent
    ) -> None:
        why = {"error": "NotFound", "exit_status": 6}
        agent.previewed = ("failed", "no backup is from before it", why)
        done = flowrexctl("restore", "dev", "--to", self.TIME, "--database", "flowrex")
        assert done.status == 0, done.err
        assert "no backup is from before it. The newest logical backup" in done.err
        assert f"Restored from the logical backup {GOOD['name']}." in done.err
        exact = ("--kind", "physical", "--database", "flowrex")
        assert flowrexctl("restore", "dev", "--to", self.TIME, *exact).status == 6
        assert flowrexctl("restore", "dev", "--to", "a-name", "--database", "flowrex").status == 6

    def test_what_failed_half_way_is_gone_on_with_to_the_same_moment(
        self, flowrexctl: Flowrexctl, agent: Agent, rig: Rig
    ) -> None:
        right, agent.moment = agent.moment, ("failed", "the store is away", {"exit_status": 6})
        words = ("restore", "dev", "--to", self.TIME, "--database", "flowrex")
        assert flowrexctl(*words).status == 6
        found = progress.read(rig.consul, "dev")  # type: ignore[arg-type]
        assert found is not None
        assert (found.source, found.backup) == ("physical", self.TIME)
        agent.moment = right
        assert flowrexctl("restore", "dev", "--resume").status == 0
        assert agent.did("physical_restore")[-1]["to"] == self.TIME
        assert runs(rig, "backend")
