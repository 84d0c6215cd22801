"""`flowrexctl backup` and `restore`: an agent does it, jobs are stopped for it and come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowrex import keys
from flowrex.command import output
from flowrex.node_requests import Request, State
from generator import access, audit
from generator.cli import context, main
from generator.environment import Environment
from generator.lock import hold
from generator.restore import jobs, progress
from tests.unit.generator.answering import answering, publish
from tests.unit.generator.cli.running import Flowrexctl, Run
from tests.unit.generator.rolling import Rig, spec

GOOD = {
    "name": "scheduled_20260301_020000",
    "at": "2026-03-01T02:00:00+00:00",
    "bytes": 5_000_000,
    "good": True,
    "state": "good",
    "held": False,
    "verified_at": "2026-03-01T03:00:00+00:00",
    "drilled_at": None,
    "reason": "scheduled",
    "node": "n1",
    "schema_revision": "0007",
    "problem": None,
}
YOUNG = {
    **GOOD,
    "name": "manual_20260302_090000",
    "at": "2026-03-02T09:00:00+00:00",
    "good": False,
    "state": "unverified",
    "verified_at": None,
}
LOSS = "Everything written since 2026-03-01 02:00:00 UTC (9:00:00 ago) is lost from the database."
Ended = tuple[State, str, Mapping[str, Any]]


@dataclass
class Agent:
    """What the node's agent answers, and what ran when it restored."""

    rig: Rig
    restored: Ended = ("done", "", {"name": GOOD["name"], "kept_as": "flowrex_old"})
    backups: list[Mapping[str, Any]] = field(default_factory=lambda: [GOOD, YOUNG])
    running: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Ended:
        name = request.arguments.get("name", "")
        match request.kind:
            case "list":
                return "done", "", {"database": "flowrex", "backups": self.backups}
            case "restore" if request.arguments.get("dry_run") == "true":
                return "done", "", {"name": name, "sentences": [LOSS], "loss": {"bytes_now": 1}}
            case "restore":
                assert request.arguments == {"name": name, "confirm": "flowrex"}
                self.running = [one for one in OLD if runs(self.rig, one)]
                return self.restored
            case "backup":
                return "done", "", {"name": "manual_1", "bytes": 2048, "seconds": 1.5}
            case "verify" | "drill":
                return "done", "", {"name": name, "good": name != "broken", "text": "read"}
            case "show":
                record = {"at": "t", "kind": "verified", "text": "read", "good": True}
                record |= {"by": "schedule", "details": {}}
                return "done", "", {**GOOD, "manifest": None, "records": [record]}
            case _:
                return "done", "", {"name": name}


OLD = {
    "backend": spec(release="1.0.0"),
    "worker": spec("worker", count=1, canary=0),
    "nginx": spec("nginx", canary=0),
}


def runs(rig: Rig, name: str) -> bool:
    return any(one.live for one in rig.nomad.allocations.of_job(name))


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    publish(rig.consul)
    for job in OLD.values():
        rig.in_service(job)
    rig.nomad.jobs.register(spec("migrate", kind="batch", count=1), expected_index=0)
    for _ in range(3):
        rig.nomad.tick()
    rig.nomad.written.clear()
    return rig


@pytest.fixture
def agent(rig: Rig) -> Agent:
    return Agent(rig)


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
        with (
            answering(rig.consul, lambda request: agent(request)),
            pytest.raises(SystemExit) as left,
        ):
            main(list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(left.value.code, int)
        return Run(left.value.code, captured.out, captured.err)

    return flowrexctl


def restore(flowrexctl: Flowrexctl, *more: str) -> Run:
    return flowrexctl("restore", "dev", "--database", "flowrex", *more)


def test_a_backup_is_taken_and_named(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("backup", "now", "dev")
    assert done.status == 0
    assert done.out == "manual_1: 2.0 KiB in 1.5 s\n"
    document = flowrexctl("backup", "now", "dev", "--json").document
    assert (document["result"]["name"], document["exit_status"]) == ("manual_1", 0)


def test_the_list_says_which_are_good(flowrexctl: Flowrexctl) -> None:
    lines = flowrexctl("backup", "list", "dev").out.splitlines()
    assert lines[1].split()[:4] == ["scheduled_20260301_020000", "4.8", "MiB", "good"]
    assert lines[2].split()[3] == "unverified"


def test_a_list_of_nothing_says_so(flowrexctl: Flowrexctl, agent: Agent) -> None:
    agent.backups = []
    assert flowrexctl("backup", "list", "dev").out == "There is no backup.\n"


def test_show_tells_everything(flowrexctl: Flowrexctl) -> None:
    out = flowrexctl("backup", "show", "dev").out
    assert "name: scheduled_20260301_020000" in out
    assert "t verified: read" in out


@pytest.mark.parametrize("verb", ["verify", "drill"])
def test_what_is_no_good_is_exit_5(flowrexctl: Flowrexctl, verb: str) -> None:
    assert flowrexctl("backup", verb, "dev", "fine").status == 0
    done = flowrexctl("backup", verb, "dev", "broken")
    assert done.status == 5
    assert "broken is NOT GOOD" in done.out
    document = flowrexctl("backup", verb, "dev", "broken", "--json").document
    assert document["exit_status"] == 5


@pytest.mark.parametrize(
    "words",
    [
        ("list", "dev"),
        ("show", "dev"),
        ("verify", "dev", "fine"),
        ("drill", "dev", "fine"),
        ("hold", "dev", "b1", "--why", "case 17"),
        ("release", "dev", "b1", "--why", "case 17"),
    ],
)
def test_a_document_has_the_agents_answer(flowrexctl: Flowrexctl, words: tuple[str, ...]) -> None:
    document = flowrexctl("backup", *words, "--json").document
    assert (document["state"], document["exit_status"]) == ("done", 0)
    assert document["result"]


@pytest.mark.parametrize("verb", ["hold", "release"])
def test_keeping_needs_a_name_and_a_reason(flowrexctl: Flowrexctl, verb: str) -> None:
    assert flowrexctl("backup", verb, "dev").status == 2
    assert flowrexctl("backup", verb, "dev", "b1").status == 2
    assert flowrexctl("backup", verb, "dev", "b1", "--why", "case 17").status == 0


def test_a_restore_stops_what_uses_the_database_and_starts_it_again(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent
) -> None:
    before = rig.nomad.jobs.get("backend").spec["Meta"]
    done = restore(flowrexctl)
    assert done.status == 0, done.err
    assert agent.running == ["nginx"]
    assert rig.nomad.written == [
        ("stop", "worker"),
        ("stop", "backend"),
        ("revert", "backend"),
        ("revert", "worker"),
    ]
    assert rig.nomad.jobs.get("backend").spec["Meta"] == before
    assert runs(rig, "backend") and runs(rig, "worker")
    assert "kept as flowrex_old" in done.out
    assert progress.read(rig.consul, "dev") is None  # type: ignore[arg-type]


def test_it_says_what_will_be_lost_and_asks_for_the_databases_name(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = flowrexctl("restore", "dev")
    assert done.status == 2
    assert LOSS in done.err
    assert "--database NAME" in done.err
    monkeypatch.setattr(output, "interactive", lambda: True)
    for typed, status in (("", 130), ("flowrx", 2)):
        monkeypatch.setattr("click.prompt", lambda *_, typed=typed, **__: typed)
        assert flowrexctl("restore", "dev").status == status
    assert flowrexctl("restore", "dev", "--database", "other").status == 2
    assert rig.nomad.written == []


def test_the_newest_good_one_is_meant_unless_another_is_named(flowrexctl: Flowrexctl) -> None:
    assert f"{GOOD['name']} →" in flowrexctl("restore", "dev").err
    assert f"{YOUNG['name']} →" in flowrexctl("restore", "dev", "--to", str(YOUNG["name"])).err
    assert f"{GOOD['name']} →" in flowrexctl("restore", "dev", "--to", "2026-03-01T02:00Z").err
    assert flowrexctl("restore", "dev", "--to", "2026-03-01T01:59Z").status == 2
    assert flowrexctl("restore", "dev", "--to", "nope").status == 2


def test_what_was_never_proved_is_not_taken_by_itself(flowrexctl: Flowrexctl, agent: Agent) -> None:
    agent.backups = [YOUNG]
    done = restore(flowrexctl)
    assert done.status == 7
    assert "none counts as good" in done.err


def test_migrations_run_before_the_jobs_come_back(flowrexctl: Flowrexctl, rig: Rig) -> None:
    done = restore(flowrexctl, "--migrate")
    assert done.status == 0, done.err
    assert [verb for verb in rig.nomad.written if verb[1] == "migrate"] == [
        ("stop", "migrate"),
        ("revert", "migrate"),
    ]
    order = rig.nomad.written.index
    assert order(("revert", "migrate")) < order(("revert", "backend"))


def test_what_the_agent_refuses_changes_nothing_and_the_jobs_run_again(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent
) -> None:
    agent.restored = ("refused", "it is held", {"exit_status": 7})
    done = restore(flowrexctl)
    assert done.status == 7
    assert "it is held" in done.err
    assert runs(rig, "backend") and runs(rig, "worker")
    assert progress.read(rig.consul, "dev") is None  # type: ignore[arg-type]


def test_what_failed_half_way_leaves_the_jobs_stopped_and_says_both_ways_on(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent
) -> None:
    agent.restored = ("failed", "the store is away", {"exit_status": 6})
    done = restore(flowrexctl)
    assert done.status == 6
    assert "flowrexctl restore dev --resume" in done.err
    assert "flowrexctl restore dev --abandon" in done.err
    assert not runs(rig, "backend")
    again = restore(flowrexctl)
    assert again.status == 7
    assert "waiting for the agent of n1" in again.err


def test_a_restore_that_failed_can_be_gone_on_with(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent
) -> None:
    right = agent.restored
    agent.restored = ("failed", "interrupted", {"interrupted": True})
    assert restore(flowrexctl).status == 5
    agent.restored = right
    done = flowrexctl("restore", "dev", "--resume")
    assert done.status == 0, done.err
    assert runs(rig, "backend") and runs(rig, "worker")
    assert flowrexctl("restore", "dev", "--resume").status == 2


def test_a_restore_that_failed_can_be_abandoned(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent
) -> None:
    agent.restored = ("failed", "the store is away", {})
    restore(flowrexctl)
    done = flowrexctl("restore", "dev", "--abandon", "--json")
    assert done.status == 0
    assert set(done.document["started"]) == {"backend", "worker"}
    assert runs(rig, "backend")
    assert progress.read(rig.consul, "dev") is None  # type: ignore[arg-type]


@pytest.mark.parametrize("step", ["stop", "start"])
def test_one_that_is_interrupted_at_any_step_goes_on_and_restores_once(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    asked: list[str] = []
    answer = agent.__call__

    def counting(request: Request) -> Ended:
        if request.kind == "restore" and "confirm" in request.arguments:
            asked.append(request.id)
        return answer(request)

    monkeypatch.setattr(Agent, "__call__", lambda self, request: counting(request))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs, step, interrupted)
        cut = restore(flowrexctl)
    assert cut.status == 130
    assert "--resume" in cut.err
    done = flowrexctl("restore", "dev", "--resume")
    assert done.status == 0, done.err
    assert len(asked) == 1
    assert runs(rig, "backend") and runs(rig, "worker")


def test_one_that_is_killed_while_the_agent_works_finds_its_answer_again(
    flowrexctl: Flowrexctl, rig: Rig, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    from generator import node_requests

    follow = node_requests.follow

    def killed(desk: Any, node: str, request: Request) -> Any:
        answer = follow(desk, node, request)
        if "confirm" in request.arguments:
            raise SystemExit(137)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(node_requests, "follow", killed)
        assert restore(flowrexctl).status == 137
    agent.restored = ("failed", "asked twice", {})
    done = flowrexctl("restore", "dev", "--resume")
    assert done.status == 0, done.err
    assert runs(rig, "backend") and runs(rig, "worker")


def test_a_restore_beside_a_deployment_waits_or_leaves_with_8(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    with hold(rig.consul, "dev", "run dev", ttl_s=15):  # type: ignore[arg-type]
        done = restore(flowrexctl)
    assert done.status == 8
    assert rig.nomad.written == []


def test_each_restore_is_recorded(flowrexctl: Flowrexctl, rig: Rig, agent: Agent) -> None:
    restore(flowrexctl)
    (record,) = audit.history(rig.consul, "dev")  # type: ignore[arg-type]
    assert (record.verb, record.outcome) == ("restore", "done")
    assert record.details["backup"] == GOOD["name"]


def test_the_flags_that_go_on_take_nothing_else(flowrexctl: Flowrexctl) -> None:
    for more in (["--to", "x"], ["--migrate"], ["--abandon"]):
        assert flowrexctl("restore", "dev", "--resume", *more).status == 2


def test_an_agent_of_another_database_is_not_asked_to_restore(
    flowrexctl: Flowrexctl, dev: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    other = dataclasses.replace(dev, postgres=dataclasses.replace(dev.postgres, database="billing"))
    monkeypatch.setattr(context, "load_environment", lambda name, overrides=(): other)
    done = flowrexctl("restore", "dev", "--database", "billing")
    assert done.status == 7
    assert "keeps backups of the database 'flowrex'" in done.err


@pytest.mark.parametrize(
    "verb", ["now", "list", "show", "verify", "drill", "hold", "release", "follow"]
)
def test_help_has_examples(verb: str, flowrexctl: Flowrexctl) -> None:
    out = flowrexctl("backup", verb, "--help").out
    assert f"flowrexctl backup {verb} " in out.split("Examples:")[1]


@pytest.mark.parametrize("arguments", [["backup", "now", "dev"], ["restore", "dev"]])
def test_a_consul_out_of_reach_is_exit_6(
    flowrexctl: Flowrexctl, rig: Rig, arguments: list[str]
) -> None:
    rig.consul.down = True
    done = flowrexctl(*arguments)
    assert done.status == 6
    assert "does not answer" in done.err


class TestTheRecord:
    """A restore stands beside the releases, with the schema of the database since."""

    CHAIN: Mapping[str, str] = {"0001": "", "0002": "drops a table", "0003": ""}

    @pytest.fixture(autouse=True)
    def _released(self, rig: Rig) -> None:
        schema = {"revision": "0003", "irreversible": dict(self.CHAIN)}
        said = {
            "id": "20260301T120000.000000Z-0001", "environment": "dev", "kind": "run",
            "version": "1.0.0", "outcome": "done", "started": "2026-03-01T12:00:00+00:00",
            "ended": "2026-03-01T12:05:00+00:00", "holder": {"who": "kim", "host": "desk"},
            "schema": schema,
        }  # fmt: skip
        rig.consul.kv_put(keys.release("dev", str(said["id"])), json.dumps(said))

    def answer(self, agent: Agent, revision: str | None) -> None:
        state, message, result = agent.restored
        loss = {} if revision is None else {"revision_then": revision}
        agent.restored = (state, message, {**result, "loss": loss})

    def newest(self, flowrexctl: Flowrexctl) -> Mapping[str, Any]:
        listed = flowrexctl("releases", "dev", "--json").document["releases"]
        found: Mapping[str, Any] = listed[0]
        return found

    @pytest.mark.parametrize(
        ("told", "known", "schema"),
        [("0001", "0001", "0001"), ("", "", ""), ("0009", None, "0003"), (None, None, "0003")],
    )
    def test_it_has_the_schema_that_the_agent_tells(
        self, flowrexctl: Flowrexctl, agent: Agent, told: str, known: str | None, schema: str
    ) -> None:
        self.answer(agent, told)
        assert restore(flowrexctl).status == 0
        found = self.newest(flowrexctl)
        assert (found["kind"], found["outcome"], found["version"]) == ("restore", "done", None)
        assert found["restored"] == {
            "backup": GOOD["name"], "source": "logical", "database": "flowrex", "revision": known
        }  # fmt: skip
        assert found["schema"]["revision"] == schema
        until = [name for name in self.CHAIN if name <= schema]
        assert list(found["schema"]["irreversible"]) == until

    def test_after_migrations_it_has_the_schema_from_before(
        self, flowrexctl: Flowrexctl, agent: Agent
    ) -> None:
        self.answer(agent, "0001")
        assert restore(flowrexctl).status == 0
        assert restore(flowrexctl, "--migrate").status == 0
        found = self.newest(flowrexctl)
        assert found["schema"] == {"revision": "0003", "irreversible": self.CHAIN}
        assert found["restored"]["revision"] == "0003"

    def test_there_is_one_where_it_was_cut_off_after_it(
        self, flowrexctl: Flowrexctl, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        self.answer(agent, "0001")
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "start", interrupted)
            assert restore(flowrexctl).status == 130
        assert self.newest(flowrexctl)["restored"]["revision"] == "0001"
        assert flowrexctl("restore", "dev", "--resume").status == 0
        listed = flowrexctl("releases", "dev", "--json").document["releases"]
        assert [one["kind"] for one in listed] == ["restore", "run"]

    def test_there_is_none_where_the_agent_refused(
        self, flowrexctl: Flowrexctl, agent: Agent
    ) -> None:
        agent.restored = ("refused", "not now", {})
        assert restore(flowrexctl).status == 5
        assert self.newest(flowrexctl)["kind"] == "run"
