"""Secrets are in Vault, in the tasks' own folders, and nowhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex.errors import PermissionRefused
from flowrex.secret import Secret
from flowrex.vault import VaultClient
from tests.cluster import Cluster
from tests.live.test_rollout import marked


def address(cluster: Cluster) -> str:
    return f"http://127.0.0.1:{cluster.base + 82}"


def folders(cluster: Cluster) -> list[Path]:
    """Return the task folders of the backend's running instances."""
    running = {str(one["ID"]) for one in cluster.allocations("backend")}
    found = [p for p in cluster.state.rglob("backend/secrets") if p.parts[-3] in running]
    assert len(found) == len(running)
    return [path.parent for path in found]


@pytest.fixture
def secrets(cluster: Cluster) -> dict[str, bytes]:
    """Every secret that there is, by where it is kept."""
    kept: dict[str, bytes] = {}
    for folder in ("tokens", "secrets"):
        for path in (cluster.state / folder).iterdir():
            for number, word in enumerate(words(path.read_text())):
                kept[f"{folder}/{path.name}#{number}"] = word
    vault = VaultClient(address(cluster), Secret(cluster.token("vault", "management")))
    stored = vault.kv_read("flowrex/backend")
    assert stored
    for name, value in stored.items():
        kept[f"kv/flowrex/backend#{name}"] = value.reveal().encode()
    for task in folders(cluster):
        login = json.loads((task / "secrets" / "database.json").read_text())
        kept[f"{task.parent.name} database"] = login["password"].encode()
        kept[f"{task.parent.name} vault"] = (task / "private" / "vault_token").read_bytes()
    # A name that is no secret, such as the cache's user, is found everywhere and rightly so.
    return {place: value for place, value in kept.items() if len(value) >= 16}


def words(text: str) -> Iterator[bytes]:
    """Return a file's values: each field of a pgpass line or a JSON document, or the one line."""
    try:
        document = json.loads(text)
    except ValueError:
        for line in text.split():
            yield line.rsplit(":", 1)[-1].encode()
        return
    for value in document.values() if isinstance(document, dict) else [document]:
        yield str(value).encode()


def leaks(secrets: dict[str, bytes], place: str, content: bytes) -> list[str]:
    return [f"{name} in {place}" for name, value in secrets.items() if value in content]


def test_there_is_something_to_look_for(secrets: dict[str, bytes]) -> None:
    assert {"tokens/nomad-operator#0", "tokens/vault-management#0"} <= set(secrets)
    assert any(name.endswith("database") for name in secrets)
    assert any("redis_password" in name for name in secrets)


def test_no_secret_is_in_what_is_rendered_or_planned(
    settled: Cluster, secrets: dict[str, bytes]
) -> None:
    path = settled.project / "secrets.plan"
    change = marked(int(time.time()))
    for arguments in (
        ["render", "dev"],
        ["render", "dev", "--json"],
        ["plan", "dev", *change, "--out", str(path)],
        ["plan", "dev", *change, "--json"],
        ["status", "dev", "--json"],
        ["validate", "dev", "--json"],
        ["bootstrap", "dev", "--check", "--json"],
    ):
        done = settled.run(*arguments)
        assert not leaks(secrets, " ".join(arguments), (done.stdout + done.stderr).encode())
    assert not leaks(secrets, "the plan file", path.read_bytes())


def test_no_secret_is_in_any_log(cluster: Cluster, secrets: dict[str, bytes]) -> None:
    logs = [*cluster.state.glob("logs/*"), *cluster.state.glob("alloc/*/*/alloc/logs/*")]
    read = [path for path in logs if path.is_file()]
    assert len(read) > 9
    assert not [leak for path in read for leak in leaks(secrets, str(path), path.read_bytes())]


def test_no_secret_is_in_any_processs_arguments(secrets: dict[str, bytes]) -> None:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += leaks(secrets, str(path), path.read_bytes())
        except OSError:
            continue
    assert not found


def test_no_secret_is_in_what_nomad_and_consul_keep(
    cluster: Cluster, secrets: dict[str, bytes]
) -> None:
    kept = {
        f"job {name}": json.dumps(cluster.nomad(f"job/{name}/versions")).encode()
        for name in (job["ID"] for job in cluster.nomad("jobs"))
    }
    kept["allocations"] = json.dumps(cluster.nomad("allocations?task_states=true")).encode()
    kept["deployments"] = json.dumps(cluster.nomad("deployments")).encode()
    kept["evaluations"] = json.dumps(cluster.nomad("evaluations")).encode()
    assert not [leak for place, text in kept.items() for leak in leaks(secrets, place, text)]


def test_no_secret_is_in_the_project(cluster: Cluster, secrets: dict[str, bytes]) -> None:
    files = [path for path in cluster.project.rglob("*") if path.is_file()]
    assert not [leak for path in files for leak in leaks(secrets, str(path), path.read_bytes())]


def test_files_with_secrets_are_for_their_owner_alone(cluster: Cluster) -> None:
    for folder in ("tokens", "secrets"):
        for path in (cluster.state / folder).iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
    for task in folders(cluster):
        for name in ("secrets/app.json", "secrets/database.json", "private/vault_token"):
            assert (task / name).stat().st_mode & 0o077 == 0, task / name


def test_a_backends_own_token_reads_its_own_secrets_and_nothing_else(cluster: Cluster) -> None:
    """The token of a running allocation, as Nomad got it by workload identity."""
    token = Secret((folders(cluster)[0] / "private" / "vault_token").read_text().strip())
    vault = VaultClient(address(cluster), token)
    assert vault.kv_read("flowrex/backend")
    for path in ("flowrex/nginx", "flowrex/migrate", "flowrex/other", "other"):
        with pytest.raises(PermissionRefused):
            vault.kv_read(path)
    for path in (
        "database/creds/migrate",
        "database/config/flowrex",
        "sys/policies/acl/flowrex-backend",
        "auth/jwt-nomad/role/backend",
        "sys/mounts",
    ):
        with pytest.raises(PermissionRefused):
            vault.read(path)


async def test_a_backends_own_login_does_what_the_application_does_and_no_more(
    cluster: Cluster,
) -> None:
    import asyncpg

    login = json.loads((folders(cluster)[0] / "secrets" / "database.json").read_text())

    async def connect(database: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1",
            port=cluster.base + 32,
            user=login["username"],
            password=login["password"],
            database=database,
        )

    connection = await connect("flowrex")
    try:
        assert await connection.fetchval("SELECT count(*) FROM trading.instruments") > 0
        for statement in (
            "SELECT * FROM migrations.alembic_version",
            "SELECT * FROM pg_authid",
            "CREATE TABLE trading.mine (x int)",
            "CREATE TABLE public.mine (x int)",
            "DROP TABLE trading.instruments",
            "CREATE ROLE mine",
            "ALTER ROLE flowrex_owner LOGIN",
            "SET ROLE flowrex_owner",
            "COPY trading.instruments TO '/tmp/copied'",
            "SELECT pg_read_file('/etc/hostname')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
    for database in ("postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connect(database)
