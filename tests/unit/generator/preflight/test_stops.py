"""What each hard stop lets through, and what it does not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from flowrex import keys
from flowrex.consul import ServiceInstance
from flowrex.errors import (
    ConfigurationError,
    HardStop,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from generator import audited, evidence
from generator.audited import Lock
from generator.checks import backups, certificates, health, monitoring
from generator.checks.model import Certificate
from generator.preflight import caps, exposed, limits, rehearsal, tested, vulnerabilities
from generator.preflight.stops import STOPS
from generator.render import RenderedJob
from generator.render.catalog import JOBS
from tests.unit.generator.checks.world import (
    COMMIT,
    HCL,
    LOCKS,
    NOW,
    ROOT,
    World,
    answer,
    at,
    cap,
    sha_of_lock,
)
from tests.unit.generator.rolling import spec

LIMITS = "http://10.0.0.1:80/api/v1/limits"
TARGETS = "http://10.0.0.9:9090/api/v1/targets"


@pytest.mark.parametrize("stop", STOPS, ids=[stop.name for stop in STOPS])
def test_where_all_is_well_every_stop_passes(world: World, stop: Any) -> None:
    found = stop.look(world.ground())
    assert found.passed, found


class TestHealth:
    def test_a_failing_check_stops_and_is_quoted(self, world: World) -> None:
        world.check("critical", "HTTP GET: 503 database: refused")
        found = world.look(health.look)
        assert not found.passed
        assert "backend: ready of b-1 is critical: HTTP GET: 503 database" in found.evidence[1]

    def test_a_check_that_is_registered_nowhere_stops(self, world: World) -> None:
        world.consul.checks["backend"] = world.consul.checks["backend"][:1]
        found = world.look(health.look)
        assert found.evidence == ("backend: the check ready is registered nowhere",)

    def test_a_service_without_a_check_stops(self, world: World) -> None:
        group = cast(dict[str, Any], world.nomad.known["backend"].current.groups[0])
        group.pop("Services")
        assert world.look(health.look).evidence == ("backend: no health check",)

    def test_a_secret_in_a_checks_output_is_not_shown(self, world: World) -> None:
        world.check("critical", "postgres://app:hunter2@db refuses")  # pragma: allowlist secret
        assert "hunter2" not in str(world.look(health.look))

    def test_what_is_not_there_or_stopped_is_not_missed(self, world: World) -> None:
        world.nomad.jobs.stop("backend")
        world.check("critical")
        assert world.look(health.look).text == "Nothing is deployed yet"


class TestTests:
    def test_another_commits_tests_are_no_proof(self, world: World) -> None:
        world.revision = "f" * 40
        found = world.look(tested.look)
        assert not found.passed
        assert found.text == "Nobody has recorded the tests of ffffffffffff"
        assert "flowrexctl evidence tests prod" in (found.hint or "")

    def test_changed_files_are_of_no_commit(self, world: World) -> None:
        world.revision = f"{COMMIT}+changes"
        assert not world.look(tested.look).passed

    def test_where_git_can_not_tell_there_is_no_proof(self, world: World) -> None:
        world.revision = f"{COMMIT}+unknown"
        found = world.look(tested.look)
        assert (found.passed, found.hint) == (False, "See why: git status")

    def test_outside_git_there_is_no_proof(self, world: World) -> None:
        world.revision = None
        assert not world.look(tested.look).passed

    @pytest.mark.parametrize(("failures", "errors"), [(1, 0), (0, 1)])
    def test_a_test_that_did_not_pass_stops(self, world: World, failures: int, errors: int) -> None:
        world.prove(evidence.Tests(COMMIT, at(0), "ci@here", 100, failures, errors, 0))
        assert world.look(tested.look).text.startswith("1 of 100 tests")

    def test_tests_that_were_all_left_out_are_no_proof(self, world: World) -> None:
        world.prove(evidence.Tests(COMMIT, at(0), "ci@here", 100, 0, 0, 100))
        found = world.look(tested.look)
        assert (found.passed, found.text[:16]) == (False, "None of 100 test")


class TestVulnerabilities:
    def prove(self, world: World, lock: Lock, *lines: str, hours: float = 1) -> None:
        sha = sha_of_lock(lock)
        world.prove(evidence.Vulnerabilities(sha, at(hours), "ci@here", 1, lines, lock.path))

    def test_both_lock_files_are_told_of(self, world: World) -> None:
        found = world.look(vulnerabilities.look)
        assert found.text == (
            "No vulnerability is known: 1 packages of requirements/app.lock, asked for 1h ago; "
            "1 packages of frontend/package-lock.json, asked for 1h ago"
        )
        assert found.evidence == tuple(sha_of_lock(one) for one in LOCKS)

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.tool)
    def test_a_known_one_stops_and_is_named(self, world: World, lock: Lock) -> None:
        line = "name 1.0: ID-1, fixed in 2.0"
        self.prove(world, lock, line)
        found = world.look(vulnerabilities.look)
        assert (found.passed, found.evidence, found.hint) == (False, (line,), lock.cure)
        assert found.text.startswith(f"1 vulnerabilities are known: 1 packages of {lock.path}")

    def test_what_is_wrong_with_either_is_told(self, world: World) -> None:
        for lock in LOCKS:
            self.prove(world, lock, f"a line of {lock.tool}")
        found = world.look(vulnerabilities.look)
        assert found.evidence == ("a line of pip-audit", "a line of npm")

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.tool)
    def test_an_old_report_is_none(self, world: World, lock: Lock) -> None:
        self.prove(world, lock, hours=25)
        found = world.look(vulnerabilities.look)
        assert not found.passed
        assert lock.command in (found.hint or "")

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.tool)
    def test_a_report_on_another_lock_file_is_none(self, world: World, lock: Lock) -> None:
        (world.root / lock.path).write_text("another")
        found = world.look(vulnerabilities.look)
        assert found.text == f"Nobody has recorded what is known of {lock.path}"

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.tool)
    def test_without_a_lock_file_nothing_is_known(self, world: World, lock: Lock) -> None:
        (world.root / lock.path).unlink()
        assert world.look(vulnerabilities.look).text == f"There is no {lock.path}"

    def test_the_agents_packages_count_where_it_is_a_job(self, world: World) -> None:
        assert world.look(vulnerabilities.look).passed
        agent = replace(world.environment.agent, enabled=True)
        world.environment = replace(world.environment, agent=agent)
        found = world.look(vulnerabilities.look)
        assert (found.passed, found.text) == (False, f"There is no {audited.AGENT.path}")

    def test_a_frontend_that_is_not_deployed_is_not_judged(self, world: World) -> None:
        (world.root / audited.FRONTEND.path).unlink()
        frontend = replace(world.environment.frontend, enabled=False)
        world.environment = replace(world.environment, frontend=frontend)
        assert world.look(vulnerabilities.look).passed


class TestBackups:
    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"good": "", "good_at": ""}, "No backup was ever found good"),
            ({"good_at": at(27)}, "The newest good backup is 1d old, over 26h"),
            ({"drilled": ""}, "No backup was ever restored in a drill"),
            ({"drill_good": False}, "The last restore drill, of b2, failed"),
            ({"drilled_at": at(9 * 24)}, "over 192h"),
            ({"problem": "the store is full"}, "the store is full"),
        ],
    )
    def test_what_is_old_or_bad_stops(
        self, world: World, changes: dict[str, Any], word: str
    ) -> None:
        world.back_up(**changes)
        found = world.look(backups.look)
        assert not found.passed
        assert word in found.text

    def test_no_agent_that_backs_up_stops(self, world: World) -> None:
        world.consul.kv_delete(keys.backups("flowrex"))
        assert world.look(backups.look).text == "No agent backs flowrex up"

    def test_a_state_that_cant_be_read_is_an_error(self, world: World) -> None:
        world.consul.kv_put(keys.backups("flowrex"), "{}")
        with pytest.raises(ConfigurationError):
            world.look(backups.look)


class TestRollback:
    def test_before_the_first_deployment_there_is_none_to_rehearse(self, world: World) -> None:
        for entry in world.consul.kv_list(keys.releases("prod")):
            world.consul.kv_delete(entry.key)
        world.record("run", outcome="failed")
        assert world.look(rehearsal.look).passed

    def test_one_that_failed_is_no_rehearsal(self, world: World) -> None:
        for entry in world.consul.kv_list(keys.releases("prod")):
            world.consul.kv_delete(entry.key)
        world.record("run", hours=3)
        world.record("rollback", outcome="failed", hours=2)
        assert world.look(rehearsal.look).text == "No rollback was ever rehearsed here"

    def test_one_of_long_ago_is_too_old(self, world: World) -> None:
        for entry in world.consul.kv_list(keys.releases("prod")):
            world.consul.kv_delete(entry.key)
        world.record("rollback", hours=31 * 24)
        found = world.look(rehearsal.look)
        assert (found.passed, "over 720h" in found.text) == (False, True)


class TestCertificates:
    def test_one_that_ends_soon_stops(self, world: World) -> None:
        world.certificates = lambda host, port: Certificate(host, NOW + timedelta(days=13))
        found = world.look(certificates.look)
        assert not found.passed
        assert any("https://api.flowrex.app" in line for line in found.evidence)

    def test_one_that_nobody_vouches_for_stops(self, world: World) -> None:
        def refused(host: str, port: int) -> Certificate:
            raise HardStop("its certificate is not good: self-signed certificate")

        world.certificates = refused
        assert "self-signed" in world.look(certificates.look).evidence[0]

    def test_a_server_that_is_away_is_unknown(self, world: World) -> None:
        def away(host: str, port: int) -> Certificate:
            raise ServerUnreachable("away")

        world.certificates = away
        with pytest.raises(ServerUnreachable):
            world.look(certificates.look)

    def test_no_tls_over_a_network_stops(self, world: World) -> None:
        world.environment.preflight.public_urls["api"] = "http://api.flowrex.app"  # type: ignore[index]
        assert "http://api.flowrex.app: no TLS" in world.look(certificates.look).evidence


class TestSecrets:
    def test_one_in_a_file_stops(self, world: World) -> None:
        world.secrets = ["app/settings.py:3: AWS Access Key"]
        assert world.look(exposed.look).evidence == ("app/settings.py:3: AWS Access Key",)

    def test_one_in_a_rendered_job_stops_and_is_not_shown(self, world: World) -> None:
        text = HCL + 'url = "postgres://app:hunter2@db"\n'  # pragma: allowlist secret
        world.jobs = (RenderedJob("backend", "service", text, "0" * 64),)
        found = world.look(exposed.look)
        assert found.evidence == ("backend: line 13 of the rendered job",)
        assert "hunter2" not in str(found)

    def test_one_in_a_log_stops_and_is_not_shown(self, world: World) -> None:
        world.nomad.logs["backend", "stderr"] = "token hvs.CAESIabcdefgh123\n"
        found = world.look(exposed.look)
        assert "backend: stderr of" in found.evidence[0]
        assert "hvs." not in str(found)

    def test_the_log_of_one_that_has_ended_counts(self, world: World) -> None:
        world.nomad.jobs.stop("backend")
        assert not any(one.live for one in world.nomad.allocations.of_job("backend"))
        world.nomad.logs["backend", "stdout"] = "token hvs.CAESIabcdefgh123\n"
        found = world.look(exposed.look)
        assert "backend: stdout of" in found.evidence[0]
        assert "nomad system gc" in (found.hint or "")

    def test_the_log_of_a_start_by_schedule_counts(self, world: World) -> None:
        job = spec("retention", kind="batch") | {"Periodic": {"Spec": "@daily", "Enabled": True}}
        world.nomad.jobs.register(job, expected_index=0)
        world.nomad.start_periodic("retention")
        world.jobs = (RenderedJob("retention", "batch", HCL, "0" * 64),)
        world.nomad.logs["retention", "stdout"] = "token hvs.CAESIabcdefgh123\n"
        assert "retention/periodic-" in world.look(exposed.look).evidence[0]

    @pytest.mark.parametrize("error", [NotFound("gone"), ServerRefused("No path to node")])
    def test_a_log_that_is_gone_with_its_allocation_is_told_of(
        self, world: World, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def tail(*_: object, **__: object) -> str:
            raise error

        monkeypatch.setattr(world.nomad.allocations, "tail", tail)
        if not isinstance(error, NotFound):
            with pytest.raises(ServerRefused):
                world.look(exposed.look)
        world.nomad.jobs.stop("backend")
        found = world.look(exposed.look)
        assert found.passed
        assert found.evidence == ("4 logs of allocations that have ended are not there any more",)

    def test_a_log_that_may_not_be_read_is_unknown(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def tail(*_: object, **__: object) -> str:
            raise PermissionRefused("no")

        monkeypatch.setattr(world.nomad.allocations, "tail", tail)
        world.nomad.jobs.stop("backend")
        with pytest.raises(PermissionRefused):
            world.look(exposed.look)


class TestMonitoring:
    def test_a_deployed_job_without_a_target_that_is_up_stops(self, world: World) -> None:
        itself = {"labels": {"job": "prometheus", "instance": "10.0.0.9:9090"}, "health": "up"}
        world.pages[TARGETS] = answer(activeTargets=[itself])
        found = world.look(monitoring.look)
        assert found.evidence == (
            "backend is deployed, and Prometheus sees no target 'backend' that is up",
        )
        world.nomad.jobs.stop("backend")
        assert world.look(monitoring.look).passed

    def test_every_job_with_metrics_is_known(self) -> None:
        template = (ROOT / "consul-templates" / "prometheus-targets.yml.ctmpl").read_text()
        found = re.findall(r'"job" sprig_list "([a-z-]+)" "([a-z-]+)"', template)
        pairs = {name: label for label, name in found}
        assert pairs.pop("flowrex-agent") == "agent"
        assert pairs == monitoring.LABELS
        assert set(monitoring.LABELS) <= {job.name for job in JOBS}

    @pytest.mark.parametrize(
        ("path", "page", "word"),
        [
            (TARGETS, answer(activeTargets=[]), "Prometheus has no target"),
            (
                TARGETS,
                answer(
                    activeTargets=[
                        {
                            "labels": {"job": "redis", "instance": "10.0.0.5:9121"},
                            "health": "down",
                            "lastError": "connection refused",
                        }
                    ]
                ),
                "redis at 10.0.0.5:9121: connection refused",
            ),
            (TARGETS.replace("targets", "rules"), answer(groups=[]), "no alert rule"),
            (
                TARGETS.replace("targets", "alertmanagers"),
                answer(activeAlertmanagers=[]),
                "knows no Alertmanager",
            ),
        ],
    )
    def test_what_is_not_whole_stops(self, world: World, path: str, page: Any, word: str) -> None:
        world.pages[path] = page
        found = world.look(monitoring.look)
        assert not found.passed
        assert word in " ".join(found.evidence)

    def test_no_prometheus_stops(self, world: World) -> None:
        world.consul.instances["prometheus"] = []
        with pytest.raises(ServerUnreachable, match="no healthy Prometheus"):
            world.look(monitoring.look)

    def test_one_that_answers_nonsense_is_an_error(self, world: World) -> None:
        world.pages[TARGETS] = ["what"]
        with pytest.raises(ServerRefused):
            world.look(monitoring.look)


class TestLimits:
    @pytest.mark.parametrize("line", ["cpu        = 100", "memory_max = 128"])
    def test_a_task_without_a_limit_stops(self, world: World, line: str) -> None:
        world.jobs = (RenderedJob("backend", "service", HCL.replace(line, ""), "0" * 64),)
        found = world.look(limits.look)
        assert len(found.evidence) == 1
        assert f"resources.{line.split()[0]} is not set" in found.evidence[0]


class TestCaps:
    def test_one_that_an_instances_database_does_not_hold_stops(self, world: World) -> None:
        world.pages[LIMITS] = {"caps": [cap(), cap("position_cap", enforced=False)]}
        found = world.look(caps.look)
        assert not found.passed
        assert found.evidence[0].startswith("10.0.0.1:80: position_cap")

    def test_an_instance_that_names_none_stops(self, world: World) -> None:
        world.pages[LIMITS] = {"caps": []}
        assert not world.look(caps.look).passed

    @pytest.mark.parametrize("page", [{}, [], None, {"caps": None}, {"caps": ["order_cap"]}])
    def test_an_instance_that_answers_something_else_is_unknown(
        self, world: World, page: object
    ) -> None:
        world.pages[LIMITS] = page
        with pytest.raises(ServerRefused, match="names no caps"):
            world.look(caps.look)

    def test_a_cap_that_does_not_say_that_it_holds_does_not(self, world: World) -> None:
        world.pages[LIMITS] = {"caps": [{"name": "order_cap"}]}
        assert not world.look(caps.look).passed

    def test_an_instance_that_does_not_answer_is_unknown(self, world: World) -> None:
        world.consul.instances["backend"].append(ServiceInstance("b-2", "10.0.0.2", 80, (), "n1"))
        with pytest.raises(ServerUnreachable):
            world.look(caps.look)

    def test_before_the_first_backend_there_is_none_to_ask(self, world: World) -> None:
        world.consul.instances["backend"] = []
        world.nomad.jobs.stop("backend")
        assert world.look(caps.look).text.startswith("No backend runs yet")

    def test_a_backend_that_runs_and_is_registered_nowhere_stops(self, world: World) -> None:
        world.consul.instances["backend"] = []
        found = world.look(caps.look)
        assert (found.passed, len(found.evidence)) == (False, 2)
        assert "none of it is registered in Consul" in found.text


def test_a_record_of_evidence_is_json(world: World) -> None:
    entry = world.consul.kv_get(keys.evidence("prod", "tests", COMMIT))
    assert entry is not None
    assert json.loads(entry.value)["tests"] == 100
