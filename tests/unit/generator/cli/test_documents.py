"""Documents of verbs that other tests only read as people do; each is compared with its schema."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
import pytest

import generator.cli as cli
from flowrex import keys
from flowrex.audit.record import Link
from flowrex.audit.segment import FileId
from flowrex.command import output
from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from flowrex.testing.s3 import FakeS3
from generator import access, artifact, audit, audited, evidence, render
from generator.artifact import agent as agent_artifact
from generator.artifact import frontend
from generator.artifact.agent import Package, Packages
from generator.artifact.made import Artifact
from generator.checks import edges
from generator.checks.model import Looked, Verdict
from generator.emergency import book
from generator.environment import Environment
from generator.images import build as images
from generator.images import builder
from generator.images.manifest import Built, Manifest
from generator.lock import hold
from generator.postdeploy import checklist, first_day, readings
from generator.preflight import stops
from tests import schemas
from tests.unit.flowrex.audit.trail import Shipper, Writer
from tests.unit.generator.cli.running import Flowrexctl
from tests.unit.generator.rolling import Rig, spec

# The package's own `push` is a function.
pushing = importlib.import_module("generator.artifact.push")

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Document = Callable[..., Any]


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]) -> Document:
    """Run a verb with --json and return what it printed, which is no error."""

    def run(*words: str, expect: int = 0) -> Any:
        with pytest.raises(SystemExit) as left:
            cli.main([*words, "--json"])
        out, err = capsys.readouterr()
        assert left.value.code == expect, out + err
        found = json.loads(out)
        assert not schemas.is_error(found), found
        return found

    return run


@pytest.fixture
def no(monkeypatch: pytest.MonkeyPatch, flowrexctl: Flowrexctl) -> None:
    """Somebody is there and answers every question with no."""
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWREX_DEV_DIR", str(tmp_path / "dev"))
    monkeypatch.delenv("FLOWREX_DEV_PORT_BASE", raising=False)
    return tmp_path / "dev"


def test_specs(document: Document, folder: Path) -> None:
    assert [one["job"] for one in document("render", "prod", "backend")["jobs"]] == ["backend"]
    words = ("validate", "prod", "--offline")
    assert len(document(*words, expect=3)["errors"]) == 5  # nobody has pushed its images
    digests = [f"--set=release.digests.{image}=sha256:{0:064}" for image in ("app", "frontend")]
    assert document(*words, *digests)["nomad_left_out"] == "--offline"


def test_the_local_cluster(document: Document, folder: Path) -> None:
    assert "nomad" in {one["name"] for one in document("dev", "servers")["servers"]}
    assert document("dev", "down")["processes"] == 0
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "nomad-1.log").write_text("one\ntwo\n")
    assert [one["server"] for one in document("dev", "logs")["logs"]] == ["nomad-1"]
    assert document("dev", "logs", "nomad-1", "-n", "1")["lines"] == ["two"]


def test_a_canary_that_is_given_up(document: Document, canary: None) -> None:
    (found,) = [one for one in document("fail", "dev")["jobs"] if one["job"] == "backend"]
    assert found["result"] == "reverted"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "dev"),
        ("drain", "dev", "n1"),
        ("emergency", "off", "dev", "--reason", "a test"),
        ("emergency", "drill", "dev", "--really"),
        ("unlock", "dev", "--force", "--reason", "a test"),
        ("dev", "reset"),
    ],
    ids=" ".join,
)
def test_a_no(
    flowrexctl: Flowrexctl, no: None, rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.setattr(book, "get", lambda url: {"positions": [], "orders": []})
    rig.consul.kv_put(keys.EMERGENCY, "on")
    with hold(cast(ConsulClient, rig.consul), "dev", "run dev", ttl_s=15):
        done = flowrexctl(*words, "--json")
    assert done.status == 130
    assert done.document == {
        "error": "Declined", "message": "nothing was changed", "hint": None, "exit_status": 130
    }  # fmt: skip
    assert rig.nomad.written == []


def test_people_are_told_of_a_no_as_of_no_error(flowrexctl: Flowrexctl, no: None) -> None:
    done = flowrexctl("run", "dev")
    assert (done.status, done.err) == (130, "Nothing was changed.\n")


def test_a_rollback_that_is_not_wanted(
    document: Document, flowrexctl: Flowrexctl, wanted: dict[str, Any], no: None
) -> None:
    assert flowrexctl("run", "dev", "--yes").status == 0
    wanted["backend"] = spec(release="1.1.0")
    assert flowrexctl("run", "dev", "--yes", "--promote").status == 0
    first = document("releases", "list", "dev")["releases"][-1]["id"]
    assert flowrexctl("rollback", "dev", first, "--json").document["error"] == "Declined"


def test_a_node_that_is_emptied_and_given_back(
    document: Document, flowrexctl: Flowrexctl, rig: Rig
) -> None:
    rig.nomad.nodes.add("n2")
    assert document("drain", "dev", "n2", "--yes")["moved"] == {}
    assert document("drain", "dev", "n2", "--end")["node"] == "n2"


def test_agents(document: Document, flowrexctl: Flowrexctl, rig: Rig) -> None:
    told: dict[str, object] = {"environment": "dev", "version": "1.0.0", "state": "running"}
    told |= {
        "at": NOW.isoformat(),
        "check": {"status": "passing"},
        "tasks": {"audit": {"state": "running"}},
    }
    rig.consul.kv_put(keys.agent("n9"), json.dumps(told))
    rig.consul.kv_put(keys.agent("n8"), "no document")
    found = {one["node"]: one["status"] for one in document("agents", "dev")["agents"]}
    assert found == {"n1": "missing", "n8": "unreadable", "n9": "critical"}


def test_an_emergency_that_is_ended(
    document: Document, flowrexctl: Flowrexctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "get", lambda url: {"positions": [], "orders": []})
    why = ("--reason", "a test")
    assert document("emergency", "on", "dev", *why)["level"] == "halt"
    assert document("emergency", "off", "dev", *why, "--yes")["level"] == "off"


class TestEvidence:
    def test_of_tests(self, document: Document, flowrexctl: Flowrexctl, tmp_path: Path) -> None:
        report = tmp_path / "report.xml"
        report.write_text('<testsuite tests="2" failures="1" errors="0" skipped="0"/>')
        words = ("evidence", "tests", "dev", str(report), "--revision", "abc")
        assert document(*words)["failures"] == 1

    def test_of_vulnerabilities(
        self,
        document: Document,
        flowrexctl: Flowrexctl,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        found = evidence.Vulnerabilities("abc", NOW.isoformat(), "anna@host", 3, ("a line",))
        monkeypatch.setattr(audited, "read", lambda *_: found)
        (tmp_path / "audit.json").write_text("{}")
        words = ("evidence", "vulnerabilities", "dev", str(tmp_path / "audit.json"))
        assert document(*words)["found"] == ["a line"]


class TestChecks:
    @pytest.fixture(autouse=True)
    def _found(self, monkeypatch: pytest.MonkeyPatch, flowrexctl: Flowrexctl) -> None:
        verdicts: tuple[Verdict, ...] = ("passed", "failed", "unknown")

        def look(checks: Sequence[Any]) -> list[Looked]:
            return [
                Looked(one, verdict, "a sentence", ("a line",), "do it")
                for one, verdict in zip(checks, verdicts, strict=False)
            ]

        monkeypatch.setattr(stops, "look", lambda *_, **__: look(stops.STOPS))
        monkeypatch.setattr(checklist, "look", lambda *_, **__: look(checklist.CHECKS))

    def test_before_a_run(self, document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
        class Ground:
            revision = staticmethod(lambda: None)

        monkeypatch.setattr(edges, "ground", lambda *_: Ground)
        monkeypatch.setattr(render, "render_jobs", lambda *_: ())
        found = document("preflight", "dev", expect=7)
        assert [one["verdict"] for one in found["stops"]] == ["passed", "failed", "unknown"]

    def test_after_one(self, document: Document) -> None:
        assert {one["verdict"] for one in document("verify", "dev")["checks"]} > {"passed"}


def test_the_first_day_of_a_release(
    document: Document, flowrexctl: Flowrexctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert flowrexctl("run", "dev", "--yes").status == 0
    monkeypatch.setattr(readings, "read", lambda *_: first_day.Reading(NOW, memory={"a": 1.0}))
    assert document("watch-release", "dev", "--once")["looks"]


class TestBuild:
    @pytest.fixture(autouse=True)
    def _made(self, folder: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        def made(name: str) -> Artifact:
            path = Path(f"dist/flowrex-{name}.tar.gz")
            return Artifact(name, "1.0.0", "f" * 64, 9, None, "v18", None, path, Path("m.json"))

        packages = Packages(made("agent"), Package(Path("dist/agent.deb"), "a" * 64, 7))
        pushed = pushing.Pushed("http://store/app", uploaded=True)
        monkeypatch.setattr(artifact, "build", lambda *_, **__: made("app"))
        monkeypatch.setattr(frontend, "build", lambda *_, **__: made("frontend"))
        monkeypatch.setattr(agent_artifact, "build", lambda *_, **__: packages)
        monkeypatch.setattr(pushing, "store_of", lambda *_: FakeS3())
        monkeypatch.setattr(artifact, "push", lambda *_: pushed)
        monkeypatch.setattr(access, "consul", lambda environment: rig.consul)

    def test_of_the_application(self, document: Document) -> None:
        assert "url" not in document("build", "--version", "1.0.0")["frontend"]

    def test_that_is_pushed(self, document: Document, rig: Rig) -> None:
        assert document("build", "--push", "prod")["frontend"]["uploaded"] is True
        (record,) = audit.history(cast("ConsulClient", rig.consul), "prod")
        assert (record.verb, record.outcome) == ("build", "done")
        assert record.details["pushed"] == {"app": "f" * 64, "frontend": "f" * 64}

    def test_of_images(self, document: Document, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        app = Built("registry/app:1.0.0", "sha256:1", 9)
        made = Manifest("1.0.0", "registry", None, {"app": app})
        monkeypatch.setattr(builder, "find", lambda *_: None)
        monkeypatch.setattr(images, "build", lambda *_, **__: made)
        monkeypatch.setattr(images, "push", lambda *_, **__: made.pushed({"app": "sha256:2"}))
        consul = cast("ConsulClient", rig.consul)
        assert document("build", "--images", "prod")["images"]["app"]["digest"] is None
        assert not audit.history(consul, "prod")
        pushed = document("build", "--images", "prod", "--push", "prod")
        assert pushed["images"]["app"]["digest"] == "sha256:2"
        assert audit.history(consul, "prod")[0].details["pushed"] == {"app": "sha256:2"}

    def test_that_is_not_pushed_where_nobody_can_be_told(
        self, document: Document, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def push(*_: object) -> None:
            raise AssertionError("it was pushed")

        def refuse(*_: object, **__: object) -> bool:
            raise ServerUnreachable("Consul is away")

        monkeypatch.setattr(artifact, "push", push)
        monkeypatch.setattr(rig.consul, "kv_put", refuse)
        with pytest.raises(SystemExit) as left:
            cli.main(["build", "--push", "prod"])
        assert left.value.code == ServerUnreachable.exit_status

    def test_of_the_agent(self, document: Document) -> None:
        kinds = [one["kind"] for one in document("build", "--agent")["packages"]]
        assert kinds == ["tarball", "deb"]


class TestTheTrail:
    @pytest.fixture(autouse=True)
    def _shipped(
        self, monkeypatch: pytest.MonkeyPatch, flowrexctl: Flowrexctl, dev: Environment
    ) -> None:
        shipper, store = Shipper(), FakeS3()
        shipper.ship(FileId(1, 1, "0" * 16), Writer(Link("a" * 32)).lines(1, order="o1"))
        store.ensure_bucket(dev.s3.logs_bucket)
        for key, body in shipper.objects.items():
            store.put(dev.s3.logs_bucket, key, body)
        monkeypatch.setattr(pushing, "store_of", lambda *_: store)

    def test_that_is_whole(self, document: Document) -> None:
        assert document("audit", "verify", "dev")["lines"] == 1

    def test_whose_end_no_agent_tells(self, document: Document, rig: Rig) -> None:
        verdict = document("audit", "verify", "dev")
        assert (verdict["not_compared"], verdict["agents_problem"]) == (["n1"], "")
        rig.consul.down = True
        verdict = document("audit", "verify", "dev", expect=6)
        assert verdict["whole"], "what is there"
        assert verdict["agents_problem"]

    def test_that_is_broken(self, document: Document, rig: Rig) -> None:
        tip = {"audit": {"sinks": {"s3": {"tip": {"number": 7, "digest": "ab"}}}}}
        told = {"node": "n1", "environment": "dev", "tasks": tip}
        rig.consul.kv_put(keys.agent("n1"), json.dumps(told))
        assert document("audit", "verify", "dev", expect=7)["breaks"][0]["node"] == "n1"

    def test_that_is_searched(self, document: Document, tmp_path: Path) -> None:
        assert document("audit", "search", "dev")["detail"] == {"order": "o1"}
        hidden = tmp_path / "redactions.yaml"
        hidden.write_text("fields: [status, duration_ms, seq, detail]\npersons: [desk-7]\n")
        found = document("audit", "search", "dev", "--redactions", str(hidden))
        assert set(found["redacted"]) == {"actor", "status", "duration_ms", "seq", "detail"}

    def test_that_is_exported(self, document: Document, tmp_path: Path) -> None:
        words = ("audit", "export", "dev", "--output", str(tmp_path / "out.jsonl"))
        assert document(*words)["records"] == 1
