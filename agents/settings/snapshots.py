"""The section `snapshots`: what a cluster is rebuilt from."""

from __future__ import annotations

from dataclasses import dataclass

from agents.settings.checks import cron, zone
from flowrex.settings.declare import Duration, WrongSetting, setting

_URL = r"https?://.+"


@dataclass(frozen=True, kw_only=True)
class Nomad:
    """Nomad's state: jobs, ACLs, variables and the keys that they are encrypted with."""

    enabled: bool = setting("Whether it is taken; needs the credential nomad-snapshot-token.")
    address: str = setting("Address of Nomad's API.", pattern=_URL)
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")


@dataclass(frozen=True, kw_only=True)
class Redis:
    """Redis' data, as an RDB file that Redis sends to a replica."""

    enabled: bool = setting("Whether it is taken; needs the credential redis-snapshot-password.")
    host: str = setting("Host name or address.")
    port: int = setting("TCP port.", minimum=1, maximum=65535)
    user: str = setting("User that may read everything, and nothing else.")
    aof_dir: str | None = setting(
        "Folder of the append-only files (appenddirname), copied too; null: it is not.",
        pattern=r"/.*",
    )


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """Snapshots, on one of the nodes that have the servers."""

    enabled: bool = setting("Whether this node takes any.")
    time_zone: str = setting("Time zone of the schedule, by its IANA name.", check=zone)
    schedule: str = setting("When they are taken, as a cron expression.", check=cron)
    jitter: Duration = setting("Time by which a run is late, at most.")
    consul: bool = setting("Whether Consul's is taken; needs the credential consul-snapshot-token.")
    vault: bool = setting("Whether Vault's is taken; needs the credential snapshot-escrow-key.")
    nomad: Nomad = setting("")
    redis: Redis = setting("")

    def __post_init__(self) -> None:
        """Check what no single setting shows."""
        taken = (self.consul, self.vault, self.nomad.enabled, self.redis.enabled)
        if self.enabled and not any(taken):
            raise WrongSetting(
                "enabled",
                "is true, and of none of the servers is a snapshot taken",
                hint="Name one.",
            )
