"""Backups by the agent of a real cluster: Vault's logins and keys, the replica, the real store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowrex import keys
from flowrex.backup_state import BackupState, parse
from flowrex.consul import ConsulClient
from flowrex.secret import Secret
from generator.bootstrap.postgres import Server
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster, eventually

AGENT = Path(sys.executable).with_name("flowrex-agent")


def agent(cluster: Cluster, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [AGENT, "backup", *arguments, "--config", cluster.state / "config" / "agent.yaml"],
        env=cluster.environ(),
        cwd=cluster.project,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


def document(cluster: Cluster, *arguments: str) -> Any:
    return json.loads(agent(cluster, *arguments, "--json").stdout)


def published(cluster: Cluster) -> BackupState | None:
    consul = ConsulClient(f"http://127.0.0.1:{cluster.base + 50}", Secret(cluster.token("consul")))
    entry = consul.kv_get(keys.backups("flowrex"))
    return None if entry is None else parse(entry.key, entry.value)


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Server]:
    password = (cluster.state / "secrets" / "postgres-superuser").read_text().strip()
    dsn = f"postgresql://postgres:{password}@127.0.0.1:{cluster.base + 32}/flowrex"
    with Server(Secret(dsn)) as server:
        yield server


def test_the_agent_has_made_a_good_one_by_itself(cluster: Cluster) -> None:
    state = eventually(
        lambda: (found := published(cluster)) and found.good and found,
        within=60,
        what="a good backup in Consul",
    )
    assert state.count >= 1
    assert state.problem == ""


def test_one_on_demand_is_of_the_replica_verified_and_drilled(cluster: Cluster) -> None:
    taken = document(cluster, "now", "--reason", "pre_deploy")
    assert taken["name"].startswith("pre_deploy_")
    assert taken["source"] == f"127.0.0.1:{cluster.base + 33} (replica)"
    assert taken["schema_revision"]
    assert taken["rows"]["trading.instruments"] > 0
    assert document(cluster, "verify", taken["name"])["good"] is True
    drilled = document(cluster, "drill", taken["name"])
    assert drilled["details"]["rows"] == sum(taken["rows"].values())
    state = published(cluster)
    assert state is not None
    assert (state.good, state.drilled, state.drill_good) == (taken["name"], taken["name"], True)


def test_a_login_is_gone_when_its_dump_is_done(cluster: Cluster, admin: Server) -> None:
    agent(cluster, "now")
    left = admin.row(
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-approle-backup%'"
        " OR pg_has_role(rolname, 'flowrex_backup', 'MEMBER') AND rolname LIKE 'v-%'"
    )
    assert left == (0,)


def test_a_restore_brings_back_what_was_and_keeps_what_is(cluster: Cluster) -> None:
    password = (cluster.state / "secrets" / "postgres-superuser").read_text().strip()
    dsn = f"postgresql://postgres:{password}@127.0.0.1:{cluster.base + 32}/flowrex"
    taken = document(cluster, "now")
    with Server(Secret(dsn)) as server:
        server.execute(
            "SET ROLE flowrex_owner",
            "CREATE TABLE written_later AS SELECT generate_series(1, 7) AS i",
        )
    refused = agent(cluster, "restore", taken["name"], expect=2)
    assert "not the name of the database" in refused.stderr
    looked = agent(cluster, "restore", taken["name"], "--dry-run")
    assert "public.written_later: 7 rows now, not there afterwards" in looked.stderr
    done = document(cluster, "restore", taken["name"], "--yes-replace", "flowrex")
    try:
        with Server(Secret(dsn)) as server:
            assert server.row("SELECT to_regclass('written_later')::text") == (None,)
        with Server(Secret(dsn), database=done["kept_as"]) as server:
            assert server.row("SELECT count(*) FROM written_later") == (7,)
            owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'instruments'"
            assert server.row(owner) == ("flowrex_owner",)
        # The application connects again by itself.
        eventually(lambda: _answers(cluster), within=60, what="the application")
    finally:
        # What only an administrator may give, and the database that nobody misses.
        cluster.run("dev", "up", "--nodes", "2", timeout=600)
        with Server(Secret(dsn), database="postgres") as server:
            server.execute(f"DROP DATABASE {done['kept_as']} WITH (FORCE)", transactional=False)


def test_a_vault_that_is_sealed_in_the_middle_of_a_dump_makes_no_bad_backup(
    cluster: Cluster, admin: Server
) -> None:
    before = {one["name"] for one in document(cluster, "list")["backups"]}
    # Several seconds of dumping.
    admin.execute(
        "SET ROLE flowrex_owner",
        "CREATE TABLE wide AS SELECT i, (SELECT string_agg(md5(random()::text), '')"
        " FROM generate_series(i, i + 31)) AS words FROM generate_series(1, 120000) AS i",
        "RESET ROLE",
    )
    try:
        eventually(lambda: _on_replica(cluster, "SELECT to_regclass('wide')"), what="its replica")
        config = cluster.state / "config" / "agent.yaml"
        dump = subprocess.Popen(
            [AGENT, "backup", "now", "--config", config],
            env=cluster.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        copying = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY public.wide%'"
        eventually(lambda: _on_replica(cluster, copying), every=0.02, what="the dump of the table")
        environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
        vault = target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ).vault
        vault.write("sys/seal")
        out, _ = dump.communicate(timeout=180)
        assert dump.returncode in {0, 6}, out
        assert "Traceback" not in out
        assert "sealed" in out
        cluster.run("dev", "up", "--nodes", "2", timeout=600)
        after = document(cluster, "list")["backups"]
        for name in {one["name"] for one in after} - before:
            assert document(cluster, "verify", name)["good"] is True
        assert document(cluster, "verify", document(cluster, "now")["name"])["good"] is True
    finally:
        admin.execute("DROP TABLE wide")


def test_no_password_is_ever_in_the_arguments_of_a_process(cluster: Cluster) -> None:
    seen: set[str] = set()
    dump = subprocess.Popen(
        [AGENT, "backup", "now", "--config", cluster.state / "config" / "agent.yaml"],
        env=cluster.environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while dump.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_text(errors="replace").replace("\0", " "))
            except OSError:
                continue
    assert dump.returncode == 0
    ours = [line for line in seen if "pg_dump" in line or "psql" in line]
    assert any("--snapshot=" in line for line in ours)
    assert not any("password=" in line or "postgresql://" in line for line in ours)


def _on_replica(cluster: Cluster, sql: str) -> object:
    password = (cluster.state / "secrets" / "postgres-superuser").read_text().strip()
    dsn = f"postgresql://postgres:{password}@127.0.0.1:{cluster.base + 33}/flowrex"
    with Server(Secret(dsn)) as server:
        row = server.row(sql)
    return row[0] if row else None


def _answers(cluster: Cluster) -> bool:
    try:
        return bool(cluster.get("/api/v1/instruments"))
    except OSError:
        return False
