"""Releases: what is recorded of each, how two differ, and the whole platform's way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.live.test_rollout import marked

_MIGRATION = '''"""A step that says it can't be taken back, and changes nothing that is used."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
IRREVERSIBLE = "forgets what the comment was"


def upgrade() -> None:
    """Say something of the schema."""
    op.execute("COMMENT ON SCHEMA trading IS 'the paper book'")
'''


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


def newest(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.document("releases", "dev", "--limit", "1")["releases"][0]
    return found


def release(cluster: Cluster, *change: str, reason: str = "a test") -> dict[str, Any]:
    """Make a release and return its record."""
    cluster.run("run", "dev", "--yes", "--promote", "--reason", reason, *change)
    return newest(cluster)


def tags(cluster: Cluster, job: str) -> dict[int, str | None]:
    versions = cluster.nomad(f"job/{job}/versions")["Versions"]
    return {one["Version"]: (one.get("VersionTag") or {}).get("Name") for one in versions}


def environ(cluster: Cluster, job: str) -> dict[str, str]:
    found: dict[str, str] = cluster.nomad(f"job/{job}")["TaskGroups"][0]["Tasks"][0]["Env"]
    return found


def test_a_release_is_recorded_listed_and_kept(cluster: Cluster) -> None:
    before = newest(cluster)
    made = release(cluster, *marked(301), reason="case 17")
    assert (made["outcome"], made["reason"], made["version"]) == ("done", "case 17", "0.1.0")
    assert set(made["stands"]) >= {"migrate", "backend", "worker", "nginx"}
    backend = made["stands"]["backend"]
    assert backend["stable"] is True
    assert backend["code"] and backend["code"][0].startswith("sha256:")
    assert len(made["plan"]) == 64
    assert made["schema"]["revision"]
    table = cluster.run("releases", "dev").stdout
    assert table.index(made["id"]) < table.index(before["id"])
    shown = cluster.document("releases", "show", "dev", made["id"])
    assert shown["kept"]["backend"] is True
    named = tags(cluster, "backend")
    assert named[backend["version"]] == "0.1.0"
    assert named[before["stands"]["backend"]["version"]] is not None, "it stays kept"


def test_two_releases_are_compared_by_nomad(cluster: Cluster) -> None:
    first, second = (release(cluster, *marked(number)) for number in (302, 303))
    done = cluster.run("releases", "diff", "dev", first["id"], second["id"])
    assert "env ROLLOUT: '302' → '303'" in done.stdout
    assert "nginx: version" in done.stdout and "the same" in done.stdout
    jobs = cluster.document("releases", "diff", "dev", second["id"], first["id"])["jobs"]
    (change,) = next(one for one in jobs if one["job"] == "backend")["changes"]
    assert (change["old"], change["new"]) == ("303", "302")


def test_a_promotion_completes_the_run_before_it(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", *marked(304), expect=9)
    run = newest(cluster)
    assert run["ended_as"] == "canary"
    cluster.run("promote", "dev", "--reason", "looks good")
    promotion = newest(cluster)
    assert (promotion["completes"], promotion["reason"]) == (run["id"], "looks good")
    assert cluster.document("releases", "show", "dev", run["id"])["ended_as"] == "promoted"


def test_the_whole_platform_goes_back_to_a_release_last_job_first(cluster: Cluster) -> None:
    first = release(cluster, *marked(305), "--set", "worker.env.ROLLOUT=305")
    release(cluster, *marked(306), "--set", "worker.env.ROLLOUT=306")
    asked = cluster.run("rollback", "dev", first["id"], expect=2)
    assert "--yes" in asked.stderr
    document = cluster.document("rollback", "dev", first["id"], "--yes")
    assert [one["job"] for one in document["jobs"]] == ["worker", "backend"]
    assert document["migrations_since"] == {}
    assert [environ(cluster, job)["ROLLOUT"] for job in ("backend", "worker")] == ["305", "305"]
    again = cluster.run("rollback", "dev", first["id"], "--yes", expect=2)
    assert "is what runs already" in again.stderr


def test_no_way_back_leads_over_an_irreversible_migration_unasked(cluster: Cluster) -> None:
    first = release(cluster, *marked(307))
    # It stays in the project: what comes after this test must know the schema's migrations.
    before = first["schema"]["revision"]
    revision = f"{before}t"
    path = cluster.project / "app" / "migrations" / "versions" / f"{revision}.py"
    path.write_text(_MIGRATION.format(revision=revision, before=before))
    cluster.run("build", "--push", "dev")
    made = release(cluster, *marked(308))
    assert made["schema"]["revision"] == revision
    done = cluster.run("rollback", "dev", first["id"], "--yes", expect=7)
    assert f"{revision} (forgets what the comment was)" in done.stderr
    assert environ(cluster, "backend")["ROLLOUT"] == "308", "nothing was changed"
    document = cluster.document("rollback", "dev", first["id"], "--yes", "--accept-irreversible")
    assert document["migrations_since"] == {revision: "forgets what the comment was"}
    assert environ(cluster, "backend")["ROLLOUT"] == "307"
