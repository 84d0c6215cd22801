"""The node agent of the cluster's first node: flowrex-agent, as a server of the cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowrex.errors import ServerUnreachable
from flowrex.files import write_atomic
from generator.dev import api, archive, redis, secrets
from generator.dev.layout import HOST, Layout
from generator.dev.process import Command

if TYPE_CHECKING:
    from generator.environment import Environment

NAME = "agent"
_CREDENTIALS = {
    "vault-role-id": "vault-agent-role-id",
    "vault-secret-id": "vault-agent-secret-id",
    # Neither server has a lesser right that reads its whole state.
    "consul-snapshot-token": "consul-management",
    "nomad-snapshot-token": "nomad-management",
}
_PASSWORDS = {"redis-snapshot-password": "redis-snapshot", "snapshot-escrow-key": "snapshot-escrow"}

# As the agent's unit has them.
_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "262144",
    "MALLOC_TRIM_THRESHOLD_": "262144",
}


def settings(layout: Layout, environment: Environment) -> dict[str, Any]:
    """Return what the agent's own configuration file says: what the cluster alone knows.

    Args:
        layout: the cluster.
        environment: its settings.
    """
    return {
        "node": layout.nodes[0].name,
        "environment": environment.name,
        "state_dir": str(layout.data(NAME)),
        "credentials_dir": str(_credentials(layout)),
        "consul": {"address": layout.consul_address, "service_ttl": "30s"},
        "vault": {
            "address": layout.vault_address,
            "login_mount": environment.vault.approle_mount,
            "kv_mount": environment.vault.kv_mount,
            "check_interval": "10s",
        },
        "s3": {
            "endpoint": layout.s3_address,
            "region": environment.s3.region,
            "backups_bucket": environment.s3.backups_bucket,
            "logs_bucket": environment.s3.logs_bucket,
        },
        # One agent for all nodes: they are on one machine.
        "audit": {
            "sources": {
                "trading": " ".join(
                    f"{layout.allocations(node)}/*/alloc/audit/*.jsonl*" for node in layout.nodes
                )
            }
        },
        "backup": {
            "enabled": True,
            "postgres": {
                "servers": [f"{HOST}:{layout.postgres}", f"{HOST}:{layout.replica}"],
                "database": environment.postgres.database,
                "sslmode": "disable",
                "login_mount": environment.vault.database_mount,
            },
            "schedule": {"jitter": "0s"},
            # Not the folder of another cluster on this machine, whose server a drill would end.
            "scratch_dir": f"/var/tmp/flowrex-drills/{layout.agent}",  # noqa: S108
        },
        "http": {"port": layout.agent},
        "status": {"interval": "10s"},
        "physical": archive.agent_settings(layout, environment),
        "snapshots": {
            "enabled": True,
            "jitter": "0s",
            "nomad": {"address": layout.nomad_address},
            "redis": {
                "enabled": True,
                "port": layout.redis,
                "aof_dir": str(layout.data(redis.NAME) / "appendonlydir"),
            },
        },
    }


def text(layout: Layout, environment: Environment) -> str:
    """Return the configuration file."""
    import yaml

    head = (
        "# Written by `flowrexctl dev up`; changes are lost. agents/reference.yaml explains all.\n"
    )
    return head + yaml.safe_dump(settings(layout, environment), sort_keys=False)


def prepare(layout: Layout, environment: Environment) -> None:
    """Write the configuration, and put the credentials where the agent looks for them."""
    layout.data(NAME).mkdir(exist_ok=True, mode=0o700)
    write_atomic(layout.config(NAME, "yaml"), text(layout, environment), mode=0o600)
    folder = _credentials(layout)
    folder.mkdir(exist_ok=True, mode=0o700)
    for name, kept in _CREDENTIALS.items():
        write_atomic(folder / name, layout.token(kept).read_bytes(), mode=0o600)
    for name, made in _PASSWORDS.items():
        secrets.write(folder / name, secrets.password(layout.secret(made)))


def command(layout: Layout) -> Command:
    """Return how the agent is started: by this Python, as an installed one is by its own."""
    argv = (
        sys.executable,
        "-m",
        "agents.main",
        "run",
        "--config",
        str(layout.config(NAME, "yaml")),
    )
    project = Path(__file__).parents[2]
    environ = {"PYTHONPATH": str(project), **_ALLOCATOR}
    return Command(NAME, argv, cwd=layout.data(NAME), environ=environ)


def problem(layout: Layout) -> str | None:
    """Return why the agent is not ready, or None where it is; a warning of its own is no reason."""
    try:
        answer = api.call(f"http://{HOST}:{layout.agent}/health", timeout_s=3)
    except ServerUnreachable as error:
        return error.message
    if answer.ok:
        return None
    said = answer.body.get("problems") if isinstance(answer.body, dict) else None
    return "; ".join(said or [f"it answers HTTP {answer.status}"])


def _credentials(layout: Layout) -> Path:
    return layout.data(NAME) / "credentials"
