"""A node as the runbooks set one up: the agent's package, and a PostgreSQL that archives."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import yaml

from generator.bootstrap import postgres_physical
from generator.dev.layout import Layout
from tests.cluster import Cluster
from tests.live.agent.machine import Machine

# Another one in each run: a cluster that is kept has the repository of the last.
NAME = f"machine-{secrets.token_hex(3)}"
# An environment of its own, so that the other tests' agents are the only ones of theirs.
ENVIRONMENT = "machine"
ALLOCATIONS = "/opt/nomad/data/alloc"
_MAIN = "/etc/postgresql/15/main"
_AUTHORITY = "/etc/flowrex/s3-ca.pem"
_DATABASE = "postgres"


def configuration(cluster: Cluster) -> str:
    """Return the node's agent.yaml: where the servers are, and what it does."""
    layout = Layout(cluster.state, cluster.base, 2)
    return yaml.safe_dump(
        {
            "node": NAME,
            "environment": ENVIRONMENT,
            "consul": {"address": layout.consul_address, "service_ttl": "30s"},
            "vault": {"address": layout.vault_address, "check_interval": "10s"},
            "s3": {
                "endpoint": layout.s3_address,
                "region": "us-east-1",
                "backups_bucket": "flowrex-backups",
                # The trail of the other tests stays theirs.
                "logs_bucket": "flowrex-backups",
            },
            "audit": {"s3": {"object_lock": "off"}},
            "http": {"port": cluster.base + 76},
            "status": {"interval": "5s"},
            "tasks": {"stop_within": "20s"},
            "backup": {
                "enabled": True,
                "postgres": {
                    "servers": [f"127.0.0.1:{layout.postgres}"],
                    "database": "flowrex",
                    "sslmode": "disable",
                },
                "schedule": {"jitter": "0s"},
            },
            "physical": {
                "enabled": True,
                "stanza": NAME,
                "prefix": f"/{NAME}",
                "database": _DATABASE,
                "endpoint": layout.s3_tls_address,
                "ca_file": _AUTHORITY,
                "watch_interval": "3s",
                "list_interval": "10s",
                "jitter": "0s",
                "io_timeout": "10s",
            },
        }
    )


def set_up(machine: Machine, package: Path, cluster: Cluster) -> None:
    """Do what docs/agent.md and docs/runbooks/point-in-time-recovery.md tell; start the agent."""
    machine.write("/etc/hosts", "127.0.0.1 localhost\n")
    (machine.root / "agent.deb").write_bytes(package.read_bytes())
    machine.run("dpkg", "-i", "/agent.deb")
    machine.write("/etc/flowrex/agent.yaml", configuration(cluster))
    for half in ("role-id", "secret-id"):
        secret = cluster.token("vault", f"agent-{half}")
        machine.write(f"/etc/flowrex/credentials/vault-{half}", secret, mode=0o600)
    authority = cluster.state / "data" / "postgres" / "s3-ca.pem"
    shutil.copy(authority, machine.root / _AUTHORITY.lstrip("/"))
    (machine.root / _AUTHORITY.lstrip("/")).chmod(0o644)
    _folders(machine)
    _postgres(machine)
    machine.run("systemctl", "start", "flowrex-agent")


def _folders(machine: Machine) -> None:
    shared = ("install", "-d", "-o", "flowrex-agent", "-g", "postgres", "-m")
    machine.run(*shared, "2750", "/var/lib/flowrex-pgbackrest")
    machine.run(*shared, "2770", "/var/lib/flowrex-pgbackrest/lock")


def _postgres(machine: Machine) -> None:
    machine.run("pg_createcluster", "--locale=C.UTF-8", "15", "main")
    command = machine.run("flowrex-agent", "physical", "archive-command").strip()
    machine.write(
        f"{_MAIN}/conf.d/archive.conf",
        "listen_addresses = ''\narchive_mode = on\narchive_timeout = 30s\n"
        f"archive_command = '{command}'\n",
    )
    access = machine.root / _MAIN.lstrip("/") / "pg_hba.conf"
    first = "local  all  flowrex_physical  peer map=flowrex\n"
    access.write_text(first + access.read_text())
    people = machine.root / _MAIN.lstrip("/") / "pg_ident.conf"
    people.write_text("flowrex  flowrex-agent  flowrex_physical\n")
    machine.run("systemctl", "start", "postgresql@15-main")
    wishes = (*postgres_physical.cluster_wishes(), *postgres_physical.login_wishes())
    for statement in (one for wish in wishes for one in wish.statements):
        psql(machine, statement)


def psql(machine: Machine, statement: str) -> str:
    """Ask the node's PostgreSQL as its administrator."""
    return machine.run("runuser", "-u", "postgres", "--", "psql", "-XqAtc", statement)
