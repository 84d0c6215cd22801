"""`flowrexctl emergency`: on at once, off explicitly, and everybody who must hear of it by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flowrex import keys
from flowrex.acknowledgement import Acknowledgement
from flowrex.command import output
from flowrex.consul import ServiceCheck, ServiceInstance
from flowrex.emergency import Level, parse
from generator import access, audit
from generator.cli import context, main
from generator.emergency import book, run
from generator.environment import Environment
from tests.unit.generator.cli.running import Flowrexctl, Run
from tests.unit.generator.rolling import Rig

ALLOCATION = "0a1b2c3d"


@pytest.fixture
def rig() -> Rig:
    """Two processes of one backend, and an agent."""
    rig = Rig()
    name = f"_nomad-task-{ALLOCATION}-5c1e-7b7a-2f7d-000000000000-group-backend-backend-http"
    rig.consul.instances["backend"] = [ServiceInstance(name, "10.0.0.1", 8000, (), "n1")]
    rig.consul.instances["flowrex-agent"] = [
        ServiceInstance("flowrex-agent-n1", "10.0.0.1", 0, (), "n1")
    ]
    rig.consul.kv_put(keys.agent("n1"), json.dumps({"environment": "dev", "state": "running"}))
    rig.consul.kv_put(keys.agent("p1"), json.dumps({"environment": "prod", "state": "running"}))
    for kind, one in (("backend", "0a1b2c3d-11"), ("backend", "0a1b2c3d-12"), ("agent", "n1")):
        acknowledge(rig, kind, one, index=0, level="off")
    return rig


@pytest.fixture
def flowrexctl(
    rig: Rig,
    dev: Environment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Flowrexctl:
    monkeypatch.setattr(access, "nomad", lambda environment: rig.nomad)
    monkeypatch.setattr(access, "consul", lambda environment: rig.consul)
    monkeypatch.setattr(context, "load_environment", lambda name, overrides=(): dev)
    monkeypatch.setattr(output, "interactive", lambda: False)
    monkeypatch.setattr(book, "get", lambda url: {"positions": [], "orders": []})

    def flowrexctl(*arguments: str) -> Run:
        with pytest.raises(SystemExit) as left:
            main(["emergency", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert isinstance(left.value.code, int)
        return Run(left.value.code, captured.out, captured.err)

    return flowrexctl


def acknowledge(
    rig: Rig, kind: str, name: str, *, index: int, level: str, processes: int = 1
) -> None:
    at = "2026-03-01T12:00:00+00:00"
    said = Acknowledgement(level, index, at, 12.5, "n1", processes=processes)
    rig.consul.kv_put(keys.acknowledgement(kind, name), said.encode())


PROCESSES = (("backend", "0a1b2c3d-11"), ("backend", "0a1b2c3d-12"), ("agent", "n1"))


@contextmanager
def obeying(rig: Rig, *processes: tuple[str, str]) -> Iterator[None]:
    """Let processes follow the switch for the length of a block."""
    over = threading.Event()

    def follow() -> None:
        index = 0
        while not over.is_set():
            entry, index = rig.consul.kv_wait(keys.EMERGENCY, index, 0.05)
            if entry is not None:
                level = parse(entry.value).level.word
                for kind, name in processes:
                    acknowledge(rig, kind, name, index=entry.modify_index, level=level)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def value(rig: Rig) -> Any:
    entry = rig.consul.kv_get(keys.EMERGENCY)
    assert entry is not None
    return parse(entry.value)


def put(rig: Rig, text: str) -> None:
    rig.consul.kv_put(keys.EMERGENCY, text)


def test_on_writes_level_reason_person_and_time(flowrexctl: Flowrexctl, rig: Rig) -> None:
    with obeying(rig, *PROCESSES):
        done = flowrexctl("on", "dev", "--level", "flatten", "--reason", "orders  doubled")
    assert done.status == 0
    said = value(rig)
    assert (said.level, said.reason) == (Level.FLATTEN, "orders doubled")
    assert "@" in said.by
    assert said.at
    assert said.problem == ""


def test_on_names_everybody_who_has_acknowledged(flowrexctl: Flowrexctl, rig: Rig) -> None:
    with obeying(rig, *PROCESSES):
        done = flowrexctl("on", "dev", "--reason", "x", "--json")
    members = {one["name"]: one for one in done.document["members"]}
    assert set(members) == {"0a1b2c3d-11", "0a1b2c3d-12", "n1"}
    assert all(one["acknowledged"] for one in members.values())
    assert members["n1"]["latency_ms"] == 12.5
    assert members["n1"]["seen_after_ms"] is not None
    assert done.document["exit_status"] == 0


def test_who_has_not_acknowledged_is_named_and_the_switch_is_on_all_the_same(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    with obeying(rig, ("backend", "0a1b2c3d-11"), ("agent", "n1")):
        done = flowrexctl("on", "dev", "--reason", "x", "--within", "200ms")
    assert done.status == 6
    assert "1 of 3 have not acknowledged" in done.err
    assert "backend 0a1b2c3d-12" in done.err
    assert "still at off" in done.out
    assert value(rig).level is Level.HALT
    with obeying(rig, ("backend", "0a1b2c3d-11"), ("agent", "n1")):
        document = flowrexctl("on", "dev", "--reason", "x", "--within", "200ms", "--json").document
    assert (document["error"], document["lacking"]) == ("NotAcknowledged", 1)


def test_an_allocation_that_has_said_nothing_is_missed(flowrexctl: Flowrexctl, rig: Rig) -> None:
    for kind, name in PROCESSES[:2]:
        rig.consul.kv_delete(keys.acknowledgement(kind, name))
    with obeying(rig, ("agent", "n1")):
        done = flowrexctl("on", "dev", "--reason", "x", "--within", "100ms")
    assert done.status == 6
    assert f"backend {ALLOCATION}" in done.err
    assert "has said nothing" in done.out


def test_a_process_that_never_said_anything_is_missed_beside_one_that_did(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    put(rig, "on")
    entry = rig.consul.kv_get(keys.EMERGENCY)
    assert entry is not None
    rig.consul.kv_delete(keys.acknowledgement(*PROCESSES[1]))
    for (kind, name), processes in ((PROCESSES[0], 2), (PROCESSES[2], 1)):
        acknowledge(
            rig, kind, name, index=entry.modify_index, level="halt", processes=processes
        )  # fmt: skip
    done = flowrexctl("status", "dev")
    assert done.status == 6
    assert "1 of its 2 processes" in done.out
    assert "1 of 3 have not acknowledged." in done.err


@pytest.mark.parametrize("text", [None, "off"])
def test_an_emergency_that_the_switch_has_lost_is_seen_and_can_be_ended(
    flowrexctl: Flowrexctl, rig: Rig, text: str | None
) -> None:
    if text:
        put(rig, text)
    for kind, name in PROCESSES:
        acknowledge(rig, kind, name, index=900, level="halt")
    done = flowrexctl("status", "dev")
    assert done.status == 6
    assert "In 3 of 3 processes an emergency holds (halt)" in done.err
    assert "flowrexctl emergency off dev" in done.err
    assert flowrexctl("status", "dev", "--json").document["exit_status"] == 6
    flowrexctl("off", "dev", "--reason", "x", "--yes", "--within", "100ms")
    assert value(rig).at, "an end with a time is believed"


def test_the_word_of_an_allocation_that_has_ended_does_not_count(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    acknowledge(rig, "backend", "deadbeef-1", index=0, level="off")
    with obeying(rig, *PROCESSES):
        done = flowrexctl("on", "dev", "--reason", "x")
    assert done.status == 0
    assert "deadbeef" not in done.out


def test_an_agent_that_is_not_alive_is_missed_and_why_is_said(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    rig.consul.checks["flowrex-agent"] = [
        ServiceCheck("flowrex-agent-n1", "c", "ttl", "critical", "TTL expired")
    ]
    with obeying(rig, *PROCESSES[:2]):
        done = flowrexctl("on", "dev", "--reason", "x", "--within", "100ms")
    assert done.status == 6
    assert "Consul calls it critical: TTL expired" in done.out


def test_on_never_lowers(flowrexctl: Flowrexctl, rig: Rig) -> None:
    put(rig, json.dumps({"level": "stop", "reason": "r", "by": "ann", "at": ""}))
    done = flowrexctl("on", "dev", "--level", "halt", "--reason", "x")
    assert done.status == 7
    assert "at level stop already, by ann" in done.err
    assert value(rig).level is Level.STOP


def test_on_after_a_bare_word_gives_it_a_reason(flowrexctl: Flowrexctl, rig: Rig) -> None:
    put(rig, "on")
    with obeying(rig, *PROCESSES):
        assert flowrexctl("on", "dev", "--reason", "x").status == 0
    assert value(rig).reason == "x"


def test_on_over_a_value_that_can_not_be_read_repairs_it(flowrexctl: Flowrexctl, rig: Rig) -> None:
    put(rig, "{nonsense")
    with obeying(rig, *PROCESSES):
        assert flowrexctl("on", "dev", "--level", "cancel", "--reason", "x").status == 0
    assert (value(rig).level, value(rig).problem) == (Level.CANCEL, "")


def test_on_needs_a_reason(flowrexctl: Flowrexctl, rig: Rig) -> None:
    assert flowrexctl("on", "dev").status == 2
    assert flowrexctl("on", "dev", "--reason", "  ").status == 2
    assert rig.consul.kv_get(keys.EMERGENCY) is None


def test_on_works_without_nomad(flowrexctl: Flowrexctl, rig: Rig) -> None:
    rig.nomad.down = True
    with obeying(rig, *PROCESSES):
        assert flowrexctl("on", "dev", "--reason", "x").status == 0


def test_on_is_on_also_where_the_record_can_not_be_written(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flowrex.errors import PermissionRefused

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionRefused("Consul refuses")

    monkeypatch.setattr(audit, "begin", refuse)
    with obeying(rig, *PROCESSES):
        done = flowrexctl("on", "dev", "--reason", "x")
    assert done.status == 0
    assert "The switch is on. It is not recorded: Consul refuses" in done.err


def test_each_change_is_recorded_with_person_and_reason(flowrexctl: Flowrexctl, rig: Rig) -> None:
    with obeying(rig, *PROCESSES):
        flowrexctl("on", "dev", "--reason", "orders doubled")
        flowrexctl("off", "dev", "--reason", "gateway replaced", "--yes")
        flowrexctl("drill", "dev")
    found = audit.history(rig.consul, "dev")  # type: ignore[arg-type]
    assert [(one.verb, one.reason, one.outcome) for one in reversed(found)] == [
        ("emergency on", "orders doubled", "done"),
        ("emergency off", "gateway replaced", "done"),
        ("emergency drill", "drill", "done"),
    ]
    ended = found[1]
    assert ended.holder["who"]
    assert ended.details["before_reason"] == "orders doubled"
    assert ended.details["left"] == "No position is left. No open order is left."


def test_off_shows_what_is_left_and_asks(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(rig, '{"level": "flatten", "reason": "r", "by": "ann", "at": ""}')
    held = {"positions": [{"symbol": "EUR_USD", "quantity": "3"}], "orders": [{}, {}]}
    monkeypatch.setattr(book, "get", lambda url: held)
    done = flowrexctl("off", "dev", "--reason", "x")
    assert done.status == 2
    assert "Positions are left: 3 EUR_USD. 2 open orders are left." in done.err
    assert "flowrexctl emergency off dev --reason TEXT --yes" in done.err
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert flowrexctl("off", "dev", "--reason", "x").status == 130
    assert value(rig).level is Level.FLATTEN


def test_off_says_where_positions_are_not_known(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(url: str) -> Any:
        raise ConnectionRefusedError("refused")

    put(rig, "on")
    monkeypatch.setattr(book, "get", refuse)
    with obeying(rig, *PROCESSES):
        done = flowrexctl("off", "dev", "--reason", "x", "--yes")
    assert done.status == 0
    assert "Whether positions or orders are left is not known" in done.err


def test_off_is_an_explicit_document_and_waits_for_everybody(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    put(rig, "on")
    done = flowrexctl("off", "dev", "--reason", "x", "--yes", "--within", "100ms")
    assert done.status == 6
    assert value(rig).level is Level.NORMAL
    assert value(rig).reason == "x"
    assert value(rig).at


def test_off_where_there_is_no_emergency_is_done_whoever_has_not_heard(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    put(rig, '{"level": "off", "reason": "r", "by": "ann", "at": ""}')
    done = flowrexctl("off", "dev", "--reason", "x", "--json")
    assert (done.status, done.document["exit_status"]) == (0, 0)
    assert "There is no emergency" in done.err


def test_off_does_not_end_what_was_switched_on_since_it_was_shown(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(rig, "on")

    def meanwhile(url: str) -> Any:
        put(rig, '{"level": "stop", "reason": "r", "by": "bob", "at": ""}')
        return {"positions": [], "orders": []}

    monkeypatch.setattr(book, "get", meanwhile)
    done = flowrexctl("off", "dev", "--reason", "x", "--yes")
    assert done.status == 4
    assert "at level stop, by bob" in done.err
    assert value(rig).level is Level.STOP
    assert audit.history(rig.consul, "dev")[0].outcome == "StalePlan"  # type: ignore[arg-type]


def test_off_where_nothing_is_on_changes_nothing(flowrexctl: Flowrexctl, rig: Rig) -> None:
    put(rig, "off")
    before = rig.consul.kv_get(keys.EMERGENCY)
    done = flowrexctl("off", "dev", "--reason", "x", "--yes")
    assert done.status == 0
    assert rig.consul.kv_get(keys.EMERGENCY) == before


@pytest.mark.parametrize("text", ["on", "ON", "nonsense", '{"level": "flatten"}', ""])
def test_status_says_what_any_value_means(flowrexctl: Flowrexctl, rig: Rig, text: str) -> None:
    put(rig, text)
    done = flowrexctl("status", "dev", "--json")
    assert done.status == 6, "nobody has acknowledged"
    assert done.document["level"] == parse(text.encode()).level.word
    assert done.document["exit_status"] == 6
    assert "3 of 3 have not acknowledged." in flowrexctl("status", "dev").err


def test_status_of_a_switch_that_was_never_written_is_quiet(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("status", "dev")
    assert done.status == 0
    assert "Emergency: off" in done.out


def test_a_drill_stops_nothing_and_names_everybody(flowrexctl: Flowrexctl, rig: Rig) -> None:
    levels = []
    write = rig.consul.kv_put

    def kv_put(key: str, content: Any, **more: Any) -> bool:
        if key == keys.EMERGENCY:
            levels.append(parse(content.encode()).level)
        return write(key, content, **more)

    rig.consul.kv_put = kv_put  # type: ignore[assignment, method-assign]
    with obeying(rig, *PROCESSES):
        done = flowrexctl("drill", "dev", "--json")
    assert done.status == 0
    assert levels == [Level.NORMAL]
    assert all(one["acknowledged"] for one in done.document["members"])


def test_a_drill_fails_where_somebody_does_not_hear(flowrexctl: Flowrexctl, rig: Rig) -> None:
    with obeying(rig, *PROCESSES[:1]):
        done = flowrexctl("drill", "dev", "--within", "100ms")
    assert done.status == 6
    assert "backend 0a1b2c3d-12, agent n1" in done.err


def test_a_real_drill_halts_and_ends(flowrexctl: Flowrexctl, rig: Rig) -> None:
    assert flowrexctl("drill", "dev", "--really").status == 2
    with obeying(rig, *PROCESSES):
        done = flowrexctl("drill", "dev", "--really", "--for", "50ms", "--yes", "--json")
    assert done.status == 0
    assert done.document["halted"]["level"] == "halt"
    assert done.document["ended"]["level"] == "off"
    assert value(rig).level is Level.NORMAL


def test_a_real_drill_that_is_interrupted_is_switched_off_again(
    rig: Rig, flowrexctl: Flowrexctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: run.Desk, standing: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(run.Desk, "wait", interrupted)
    assert flowrexctl("drill", "dev", "--really", "--yes").status == 130
    assert value(rig).level is Level.NORMAL


def test_a_real_drill_leaves_an_emergency_that_began_during_it(
    rig: Rig, flowrexctl: Flowrexctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = run.Desk.wait

    def meanwhile(self: run.Desk, standing: Any) -> Any:
        if standing.emergency.reason.startswith("drill of"):
            put(rig, '{"level": "stop", "reason": "real", "by": "bob", "at": ""}')
        return wait(self, standing)

    monkeypatch.setattr(run.Desk, "wait", meanwhile)
    with obeying(rig, *PROCESSES):
        done = flowrexctl("drill", "dev", "--really", "--yes", "--for", "10ms", "--within", "1s")
    assert value(rig).reason == "real"
    assert "it is left so" in done.err


@pytest.mark.parametrize("more", [[], ["--really", "--yes"]])
def test_there_is_no_drill_in_an_emergency(
    flowrexctl: Flowrexctl, rig: Rig, more: list[str]
) -> None:
    put(rig, "on")
    assert flowrexctl("drill", "dev", *more).status == 7
    assert value(rig).level is Level.HALT


@pytest.mark.parametrize(
    "arguments",
    [
        ["on", "dev", "--reason", "x"],
        ["off", "dev", "--reason", "x"],
        ["status", "dev"],
        ["drill", "dev"],
    ],
    ids=lambda one: one[0],
)
def test_a_consul_out_of_reach_is_exit_6(
    flowrexctl: Flowrexctl, rig: Rig, arguments: list[str]
) -> None:
    rig.consul.down = True
    done = flowrexctl(*arguments)
    assert done.status == 6
    assert "Consul at fake://consul does not answer" in done.err


@pytest.mark.parametrize("verb", ["on", "off", "status", "drill"])
def test_help_has_examples(verb: str, flowrexctl: Flowrexctl) -> None:
    assert f"flowrexctl emergency {verb} " in flowrexctl(verb, "--help").out.split("Examples:")[1]
