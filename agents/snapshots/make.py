"""From settings and credentials to the servers that snapshots are taken of.

What reads Consul's or Nomad's whole state may do everything there: Consul asks for `acl = "write"`,
Nomad for a management token. So these are no part of the agent's own role. Each is a credential of
its own, a file on the one node that takes the snapshots, and where it is not there that snapshot
fails and says so. Vault's is no such secret: its snapshot is sealed by the unseal keys.
"""

from __future__ import annotations

from pathlib import Path

from agents.context import Context
from agents.credentials.files import Files
from agents.snapshots.raft import Raft
from agents.snapshots.redis import Redis
from agents.snapshots.source import Source
from flowrex.errors import PermissionRefused
from flowrex.secret import Secret

CONSUL_TOKEN = "consul-snapshot-token"  # noqa: S105 - files' names
NOMAD_TOKEN = "nomad-snapshot-token"  # noqa: S105
REDIS_PASSWORD = "redis-snapshot-password"  # noqa: S105
VAULT_TOKEN = "vault-snapshot-token"  # noqa: S105


def sources(context: Context, files: Files) -> dict[str, Source]:
    """Return what is switched on, by kind, in the order in which a cluster is rebuilt.

    Args:
        context: settings and clients.
        files: the credentials' folder.
    """
    settings = context.settings
    chosen = settings.snapshots
    found: dict[str, Source] = {}
    if chosen.vault:

        def vault_token() -> Secret:
            # A file comes first: a Vault that is set up anew knows nobody but its root.
            return files.read(VAULT_TOKEN) or context.vault().token()

        found["vault"] = Raft(
            "vault",
            settings.vault.address,
            "/v1/sys/storage/raft/snapshot",
            "/v1/sys/storage/raft/snapshot-force",
            "POST",
            "X-Vault-Token",
            vault_token,
            settings.vault.ca_file,
            "Vault is sealed now: unseal it with the keys of the Vault that the snapshot is of.",
        )
    if chosen.consul:
        found["consul"] = Raft(
            "consul",
            settings.consul.address,
            "/v1/snapshot",
            "/v1/snapshot",
            "PUT",
            "X-Consul-Token",
            lambda: credential(files, CONSUL_TOKEN),
            settings.consul.ca_file,
            "Consul's tokens are those of the snapshot now.",
        )
    if chosen.nomad.enabled:
        found["nomad"] = Raft(
            "nomad",
            chosen.nomad.address,
            "/v1/operator/snapshot",
            "/v1/operator/snapshot",
            "PUT",
            "X-Nomad-Token",
            lambda: credential(files, NOMAD_TOKEN),
            chosen.nomad.ca_file,
            "Nomad's tokens are those of the snapshot now, and its jobs are placed anew.",
        )
    if chosen.redis.enabled:
        found["redis"] = Redis(
            chosen.redis.host,
            chosen.redis.port,
            chosen.redis.user,
            lambda: credential(files, REDIS_PASSWORD),
            Path(chosen.redis.aof_dir) if chosen.redis.aof_dir else None,
        )
    return found


def credential(files: Files, name: str) -> Secret:
    """Return a credential that is a file and nothing else.

    Raises:
        PermissionRefused: it is not there.
    """
    found = files.read(name)
    if found is None:
        raise PermissionRefused(
            f"the credential {files.folder}/{name} is missing or empty",
            hint="docs/runbooks/rebuild-cluster.md tells how it is made, and what it may do.",
        )
    return found
