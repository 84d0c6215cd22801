from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from flowrex.command import output
from flowrex.consul import ConsulClient
from flowrex.errors import HardStop
from generator import audit, git, release
from generator.checks.model import Ground, Looked
from generator.cli import context
from generator.deploy import deploy
from generator.environment import Environment
from generator.lock import hold
from generator.preflight import stops
from generator.render.catalog import JOBS
from generator.watch import Watch
from tests.unit.generator.cli.rollout import OLD, Vault
from tests.unit.generator.cli.running import Flowrexctl
from tests.unit.generator.rolling import Rig, spec, step


def test_the_rig_has_every_job() -> None:
    assert set(OLD) == {job.name for job in JOBS if not job.switch}


def test_plan_shows_and_changes_nothing(flowrexctl: Flowrexctl, rig: Rig) -> None:
    done = flowrexctl("plan", "dev")
    assert done.status == 0
    assert "backend: new" in done.out
    assert rig.nomad.written == []


def test_plan_tells_by_its_exit_status_what_it_found(flowrexctl: Flowrexctl, rig: Rig) -> None:
    assert flowrexctl("plan", "dev", "--detailed-exitcode").status == 1
    flowrexctl("run", "dev", "--yes")
    assert flowrexctl("plan", "dev", "--detailed-exitcode").status == 0
    rig.nomad.down = True
    assert flowrexctl("plan", "dev", "--detailed-exitcode").status == 255
    assert flowrexctl("plan", "dev").status == 6


def test_plan_prints_one_document(flowrexctl: Flowrexctl) -> None:
    document = flowrexctl("plan", "dev", "backend", "--json").document
    assert [job["job"] for job in document["jobs"]] == ["backend"]
    assert document["changes"] is True


def test_run_asks_and_where_nobody_can_answer_changes_nothing(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    done = flowrexctl("run", "dev")
    assert done.status == 2
    assert "flowrexctl run dev --yes" in done.err
    assert rig.nomad.written == []


@pytest.mark.parametrize(("answer", "status"), [(True, 0), (False, 130)])
def test_run_does_what_the_person_says(
    flowrexctl: Flowrexctl,
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
    status: int,
) -> None:
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: answer)
    done = flowrexctl("run", "dev", "--json")
    assert (done.status, done.document["exit_status"]) == (status, status)
    assert bool(rig.nomad.written) is answer


def test_run_prints_one_document_and_tells_people_elsewhere(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("run", "dev", "--yes", "--json")
    assert [job["result"] for job in done.document["jobs"]] == [
        "ran",
        "deployed",
        "deployed",
        "deployed",
    ]
    assert "backend: version 0 is in service" in done.err
    assert flowrexctl("run", "dev", "--yes", "--json").document["jobs"] == []


def test_a_run_whose_canary_waits_exits_9_with_the_command(
    flowrexctl: Flowrexctl, wanted: dict[str, dict[str, Any]]
) -> None:
    flowrexctl("run", "dev", "--yes")
    wanted["backend"] = spec(release="1.1.0")
    done = flowrexctl("run", "dev", "--yes")
    assert done.status == 9
    assert "flowrexctl promote dev" in done.err
    document = flowrexctl("run", "dev", "--yes", "--json").document
    assert (document["error"], document["exit_status"]) == ("CanaryWaiting", 9)
    assert document["jobs"][-1]["result"] == "canary"


def test_a_failed_run_exits_5(flowrexctl: Flowrexctl, wanted: dict[str, dict[str, Any]]) -> None:
    wanted["backend"] = spec(behaviour="unhealthy")
    done = flowrexctl("run", "dev", "--yes")
    assert done.status == 5
    assert "backend version 0 was not deployed" in done.err


def test_who_tries_to_override_what_may_not_be_is_refused_and_recorded(
    flowrexctl: Flowrexctl, rig: Rig, dev: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = replace(dev.preflight, stops=replace(dev.preflight.stops, caps="enforced"))
    monkeypatch.setattr(
        context, "load_environment", lambda name, overrides=(): replace(dev, preflight=strict)
    )
    done = flowrexctl("run", "dev", "--yes", "--override", "caps", "--reason", "in a hurry")
    assert done.status == HardStop.exit_status
    assert rig.nomad.written == []
    (record,) = audit.history(cast("ConsulClient", rig.consul), "dev")
    assert (record.verb, record.outcome, record.reason) == ("run", "HardStop", "in a hurry")
    assert record.details == {"overrides": ["caps"]}


def test_a_run_beside_another_exits_8(flowrexctl: Flowrexctl, rig: Rig) -> None:
    with hold(rig.consul, "dev", "run dev", ttl_s=15):  # type: ignore[arg-type]
        done = flowrexctl("run", "dev", "--yes")
    assert done.status == 8
    assert rig.nomad.written == []


@pytest.mark.parametrize(
    "typed",
    [
        ("run", "dev", "--yes", "--lock-wait", "abc"),
        ("promote", "dev", "--lock-wait", "5"),
        ("rollback", "dev", "--lock-wait", ""),
        ("resume", "dev", "--lock-wait", "abc"),
        ("restore", "dev", "--to", "latest", "--lock-wait", "abc"),
        ("drain", "dev", "n1", "--deadline", "abc"),
        ("watch-release", "dev", "--every", "abc"),
    ],
)
def test_what_is_no_length_of_time_is_refused_before_any_server_is_asked(
    flowrexctl: Flowrexctl, rig: Rig, typed: tuple[str, ...]
) -> None:
    rig.nomad.down = rig.consul.down = True
    done = flowrexctl(*typed)
    assert done.status == 2
    assert f"{typed[-1]!r} is no length of time. Write it like 30s, 5m or 1m30s." in done.err
    assert typed[-2] in done.err


def test_an_interrupted_drain_names_the_command_that_gives_the_node_back(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pause(watch: Watch, seconds: float) -> None:
        raise KeyboardInterrupt

    rig.in_service(spec())
    (first, *_) = rig.nomad.nodes.list()
    rig.nomad.nodes.add("n2")
    monkeypatch.setattr(Watch, "pause", pause)
    done = flowrexctl("drain", "dev", first.name, "--set", "a.b=1 2", "--yes")
    assert done.status == 130
    assert f"flowrexctl drain dev {first.name} --set 'a.b=1 2' --end" in done.err
    assert "flowrexctl status" not in done.err


def test_a_saved_plan_runs_without_a_question_and_only_once(
    flowrexctl: Flowrexctl, tmp_path: Path, rig: Rig
) -> None:
    path = str(tmp_path / "release.plan")
    saved = flowrexctl("plan", "dev", "--out", path)
    assert f"flowrexctl run dev --plan {path}" in saved.err
    assert flowrexctl("run", "dev", "--plan", path).status == 0
    rig.in_service(spec(release="theirs"))
    stale = flowrexctl("run", "dev", "--plan", path)
    assert stale.status == 4
    assert "since the plan was made" in stale.err or "did not exist" in stale.err


def test_a_saved_plan_is_recorded_and_judged_as_the_commit_that_it_was_made_from(
    flowrexctl: Flowrexctl, tmp_path: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, judged = str(tmp_path / "release.plan"), list[str | None]()

    def look(ground: Ground, overrides: object) -> list[Looked]:
        judged.append(ground.revision())
        return []

    monkeypatch.setattr(stops, "look", look)
    monkeypatch.setattr(git, "revision", lambda root, paths: "a" * 40)
    flowrexctl("plan", "dev", "--out", path)
    monkeypatch.setattr(git, "revision", lambda root, paths: "b" * 40)
    done = flowrexctl("run", "dev", "--plan", path)
    assert done.status == 0
    assert f"the plan was made from {'a' * 40}, and here is {'b' * 40}" in done.err
    assert judged == ["a" * 40]
    (record,) = release.history(rig.consul, "dev")  # type: ignore[arg-type]
    assert record.revision == "a" * 40


def test_a_saved_plan_of_what_is_checked_out_says_nothing_of_it(
    flowrexctl: Flowrexctl, tmp_path: Path
) -> None:
    path = str(tmp_path / "release.plan")
    flowrexctl("plan", "dev", "--out", path)
    assert "the plan was made from" not in flowrexctl("run", "dev", "--plan", path).err


def test_a_saved_plan_takes_no_jobs_and_no_settings(flowrexctl: Flowrexctl, tmp_path: Path) -> None:
    path = str(tmp_path / "x.plan")
    assert flowrexctl("run", "dev", "backend", "--plan", path).status == 2
    assert flowrexctl("run", "dev", "--set", "a.b=1", "--plan", path).status == 2


def test_a_length_of_time_that_is_none_is_a_mistake(flowrexctl: Flowrexctl) -> None:
    assert flowrexctl("run", "dev", "--yes", "--lock-wait", "soon").status == 2


@pytest.mark.usefixtures("canary")
def test_promote_brings_the_canary_into_service(flowrexctl: Flowrexctl, rig: Rig) -> None:
    done = flowrexctl("promote", "dev", "--json")
    assert done.status == 0
    assert {"job": "backend", "result": "deployed"}.items() <= done.document["jobs"][0].items()
    assert rig.nomad.jobs.get("backend").stable


@pytest.mark.usefixtures("canary")
def test_fail_gives_it_up(flowrexctl: Flowrexctl, rig: Rig) -> None:
    assert flowrexctl("fail", "dev").status == 0
    assert rig.nomad.jobs.get("backend").spec["Meta"]["release"] == "1.0.0"
    assert flowrexctl("fail", "dev").status == 2


@pytest.mark.usefixtures("canary")
def test_rollback_goes_back_and_refuses_what_it_does_not_know(
    flowrexctl: Flowrexctl, rig: Rig
) -> None:
    flowrexctl("promote", "dev")
    assert flowrexctl("rollback", "dev", "backend", "--to", "nope").status == 2
    assert flowrexctl("rollback", "dev").status == 0
    assert rig.nomad.jobs.get("backend").spec["Meta"]["release"] == "1.0.0"


@pytest.mark.usefixtures("canary")
def test_status_says_what_to_type_next(flowrexctl: Flowrexctl) -> None:
    done = flowrexctl("status", "dev")
    assert done.status == 0
    assert "Next: flowrexctl promote dev backend" in done.out
    document = flowrexctl("status", "dev", "--json").document
    waiting = [job["job"] for job in document["jobs"] if job["waits_for_promotion"]]
    assert waiting == ["backend"]


def test_status_without_consul_shows_what_nomad_knows(flowrexctl: Flowrexctl, rig: Rig) -> None:
    flowrexctl("run", "dev", "--yes")
    rig.consul.down = True
    done = flowrexctl("status", "dev")
    assert done.status == 6
    assert "in service" in done.out
    assert "Consul at fake://consul does not answer" in done.err
    assert flowrexctl("status", "dev", "--json").document["exit_status"] == 6


def test_logs_are_lines_or_documents(flowrexctl: Flowrexctl, rig: Rig) -> None:
    flowrexctl("run", "dev", "--yes")
    rig.nomad.logs[("backend", "stdout")] = "one\ntwo\n"
    assert flowrexctl("logs", "dev", "backend").out == "one\ntwo\n"
    lines = flowrexctl("logs", "dev", "backend", "--json").out.splitlines()
    assert [json.loads(line)["line"] for line in lines] == ["one", "two"]


@pytest.mark.parametrize("verb", ["plan", "run", "promote", "fail", "rollback", "status", "logs"])
def test_a_server_out_of_reach_is_exit_6_and_a_sentence(
    verb: str, flowrexctl: Flowrexctl, rig: Rig
) -> None:
    more = {"run": ["--yes"], "logs": ["backend"]}.get(verb, [])
    rig.nomad.down = True
    done = flowrexctl(verb, "dev", *more)
    assert done.status == 6
    assert "does not answer" in done.err
    document = flowrexctl(verb, "dev", *more, "--json").document
    assert document["exit_status"] == 6


@pytest.mark.parametrize("verb", ["plan", "run", "promote", "fail", "rollback", "status"])
def test_a_job_that_does_not_exist_is_a_mistake(verb: str, flowrexctl: Flowrexctl) -> None:
    done = flowrexctl(verb, "dev", "frontent")
    assert done.status == 2
    assert "frontent" in done.err


@pytest.mark.parametrize("verb", ["promote", "fail", "rollback"])
def test_a_consul_out_of_reach_changes_nothing(verb: str, rig: Rig, flowrexctl: Flowrexctl) -> None:
    flowrexctl("run", "dev", "--yes")
    deploy(rig.watch(), step(rig.nomad, spec(release="1.1.0")), promote=False)
    rig.nomad.written.clear()
    rig.consul.down = True
    assert flowrexctl(verb, "dev").status == 6
    assert rig.nomad.written == []


@pytest.mark.parametrize("verb", ["plan", "run", "promote", "fail", "rollback", "status", "logs"])
def test_help_has_examples(verb: str, flowrexctl: Flowrexctl) -> None:
    assert f"flowrexctl {verb} " in flowrexctl(verb, "--help").out.split("Examples:")[1]


def test_a_run_is_not_begun_while_vault_is_sealed(
    flowrexctl: Flowrexctl, vault: Vault, rig: Rig
) -> None:
    vault.sealed = True
    done = flowrexctl("run", "dev", "--yes")
    assert done.status == 6
    assert "Vault at http://127.0.0.1:8200 is sealed" in done.err
    assert rig.nomad.known == {}


def test_a_run_that_failed_for_want_of_vault_says_so(
    flowrexctl: Flowrexctl, vault: Vault, wanted: dict[str, dict[str, Any]]
) -> None:
    wanted["backend"] = spec(behaviour="unhealthy")
    vault.answers = 1
    done = flowrexctl("run", "dev", "--yes")
    assert done.status == 6
    assert "Vault at http://127.0.0.1:8200 does not answer" in done.err
    assert "backend version 0 was not deployed" in done.err


def test_resume_does_what_a_run_that_was_cut_off_had_not_begun(
    flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deployed(event: Any) -> None:
        if (event.job, event.what) == ("migrate", "ran"):
            raise KeyboardInterrupt

    monkeypatch.setattr(
        "generator.cli.carrying.Teller.__call__", lambda self, event: deployed(event)
    )
    assert flowrexctl("run", "dev", "--yes", "--promote").status == 130
    rig.nomad.written.clear()
    monkeypatch.setattr("generator.cli.carrying.Teller.__call__", lambda self, event: None)
    assert flowrexctl("resume", "dev").status == 2
    done = flowrexctl("resume", "dev", "--yes", "--json")
    assert done.status == 0
    assert "run it again" not in done.err
    assert [job for _, job in rig.nomad.written] == ["backend", "worker", "nginx"]
    assert done.document["jobs"][0]["result"] == "unchanged"
    assert flowrexctl("resume", "dev").status == 2


def test_resume_tells_that_the_run_began_from_another_commit(
    flowrexctl: Flowrexctl, canary: None, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = release.history(rig.consul, "dev")[0]  # type: ignore[arg-type]
    monkeypatch.setattr(git, "revision", lambda root, paths: record.revision)
    assert "It began from" not in flowrexctl("resume", "dev").err
    monkeypatch.setattr(git, "revision", lambda root, paths: "b" * 40)
    assert f"and here is {'b' * 40}: both render the same" in flowrexctl("resume", "dev").err


def test_resume_refuses_other_specs(
    flowrexctl: Flowrexctl, canary: None, wanted: dict[str, dict[str, Any]], rig: Rig
) -> None:
    wanted["backend"] = spec(release="1.2.0")
    rig.nomad.written.clear()
    done = flowrexctl("resume", "dev", "--yes")
    assert done.status == 4
    assert "backend" in done.err
    assert rig.nomad.written == []
