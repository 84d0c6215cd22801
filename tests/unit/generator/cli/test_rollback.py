from __future__ import annotations

import json
from typing import Any

import pytest

from flowrex import keys
from flowrex.command import output
from generator import migrations
from generator.migrations import Schema
from tests.unit.generator.cli.running import Flowrexctl
from tests.unit.generator.rolling import Rig, spec

FIRST, SECOND = "1.0.0", "1.1.0"


@pytest.fixture
def two(
    rig: Rig,
    flowrexctl: Flowrexctl,
    wanted: dict[str, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Two releases; the second has a migration and other services. Returns the first's id."""
    monkeypatch.setattr(migrations, "read", lambda root: Schema("1", {"1": ""}))
    assert flowrexctl("run", "dev", "--yes").status == 0
    (entry,) = rig.consul.kv_list(keys.releases("dev"))
    monkeypatch.setattr(migrations, "read", lambda root: Schema("2", {"1": "", "2": ""}))
    for name in ("migrate", "backend", "nginx"):
        kind = "batch" if name == "migrate" else "service"
        wanted[name] = spec(name, kind=kind, count=1, canary=0, release=SECOND)
    assert flowrexctl("run", "dev", "--yes", "--promote").status == 0
    rig.nomad.written.clear()
    return entry.key.rsplit("/", 1)[1]


def irreversible(rig: Rig) -> None:
    """Let the second migration be one that can't be taken back."""
    for entry in rig.consul.kv_list(keys.releases("dev")):
        said = json.loads(entry.value)
        if said["schema"]["revision"] == "2":
            said["schema"]["irreversible"]["2"] = "drops a table"
            said["backup"] = "pre_deploy_20260301_120000"
            rig.consul.kv_put(entry.key, json.dumps(said))


def test_a_whole_release_comes_back_last_job_first(
    two: str, flowrexctl: Flowrexctl, rig: Rig
) -> None:
    done = flowrexctl("rollback", "dev", two, "--yes", "--reason", "case 17")
    assert done.status == 0
    assert [job for verb, job in rig.nomad.written if verb == "revert"] == ["nginx", "backend"]
    assert "The schema stays as it is, with what ran since: 2" in done.err
    newest = flowrexctl("releases", "dev", "--json").document["releases"][0]
    assert (newest["kind"], newest["back_to"], newest["reason"]) == ("rollback", two, "case 17")
    assert newest["schema"]["revision"] == "2", "the schema is not taken back"


def test_it_says_what_it_will_do_and_asks(
    two: str, flowrexctl: Flowrexctl, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = flowrexctl("rollback", "dev", two)
    assert done.status == 2
    assert f"flowrexctl rollback dev {two} --yes" in done.err
    lines = [line.split() for line in done.err.splitlines()]
    assert ["nginx", "1", "0"] in lines and ["backend", "1", "0"] in lines
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert flowrexctl("rollback", "dev", two, "--json").document["exit_status"] == 130
    assert rig.nomad.written == []


def test_of_a_release_single_jobs_can_come_back(two: str, flowrexctl: Flowrexctl, rig: Rig) -> None:
    assert flowrexctl("rollback", "dev", two, "nginx", "--yes").status == 0
    assert [job for verb, job in rig.nomad.written if verb == "revert"] == ["nginx"]


@pytest.mark.parametrize("words", [(), ("backend",), ("backend", "--to", "0")])
def test_no_way_back_leads_over_an_irreversible_migration_unasked(
    two: str, flowrexctl: Flowrexctl, rig: Rig, words: tuple[str, ...]
) -> None:
    irreversible(rig)
    for typed in ((two, "--yes"), words):
        done = flowrexctl("rollback", "dev", *typed)
        assert done.status == 7
        assert "2 (drops a table)" in done.err
        restore = "flowrexctl restore dev --to pre_deploy_20260301_120000 --database flowrex"
        assert restore in done.err
    assert rig.nomad.written == []
    done = flowrexctl("rollback", "dev", *words, "--accept-irreversible", "--json")
    assert done.status == 0
    assert done.document["migrations_since"] == {"2": "drops a table"}
    assert done.document["backup"] == "pre_deploy_20260301_120000"


def test_a_release_and_a_version_of_a_job_are_two_things(two: str, flowrexctl: Flowrexctl) -> None:
    assert flowrexctl("rollback", "dev", two, "--to", "1").status == 2


def test_what_runs_already_is_not_gone_back_to(two: str, flowrexctl: Flowrexctl) -> None:
    newest = flowrexctl("releases", "dev", "--json").document["releases"][0]["id"]
    done = flowrexctl("rollback", "dev", newest, "--yes")
    assert done.status == 2
    assert "is what runs already" in done.err
