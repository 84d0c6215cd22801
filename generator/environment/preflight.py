"""What an environment makes of the hard stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flowrex import address
from flowrex.settings.declare import Duration, setting

Enforcement = Literal["enforced", "overridable", "off"]
# What no reason is good enough for.
Always = Literal["enforced", "off"]


@dataclass(frozen=True, kw_only=True)
class Stops:
    """What becomes of each hard stop."""

    health: Enforcement = setting("Every check of what runs passes.")
    tests: Enforcement = setting("The tests of this commit were run, and all passed.")
    vulnerabilities: Enforcement = setting("None is known of the locked packages.")
    backups: Enforcement = setting("A fresh backup was verified, and a restore was rehearsed.")
    rollback: Enforcement = setting("A rollback was carried out not long ago.")
    certificates: Enforcement = setting("Each server's certificate is trusted and valid for long.")
    secrets: Always = setting("No secret is in the repository, in a job or in a log.")
    monitoring: Enforcement = setting("All targets are up, rules are loaded, somebody is told.")
    limits: Enforcement = setting("Every task has CPU, memory and a limit.")
    caps: Always = setting("The hard caps of code and database agree and hold.")


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What must be so before a run changes anything."""

    stops: Stops = setting("")
    backup_max_age: Duration = setting("Age at which the newest good backup is too old.")
    drill_max_age: Duration = setting("Age at which the last restore drill is too old.")
    rollback_max_age: Duration = setting("Age at which the last rollback is too old.")
    vulnerabilities_max_age: Duration = setting("Age at which a report of them is too old.")
    certificate_min_days: int = setting("Days that a certificate must be valid for.", minimum=0)
    public_urls: Mapping[str, str] = setting(
        "Addresses that clients use, by a name of one's own.", check=address.check
    )
