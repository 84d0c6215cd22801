"""What an environment makes of the checks after a deployment, and of its first 24 hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, setting

Weight = Literal["required", "told", "off"]


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What becomes of each check."""

    running: Weight = setting("Every job runs its newest version, and that alone.")
    health: Weight = setting("Every check of what runs passes.")
    endpoints: Weight = setting("What clients ask answers, by each nginx and each public URL.")
    traffic: Weight = setting("Requests through nginx reach every instance of the backend.")
    metrics: Weight = setting("All targets are up, rules are loaded, somebody is told.")
    errors: Weight = setting("Few requests have failed since the deployment began.")
    alerts: Weight = setting("No alert fires, and the one that always does has arrived.")
    trail: Weight = setting("Each node's agent ships the audit log, and is not behind.")
    backups: Weight = setting("A fresh backup was verified, and a restore was rehearsed.")
    certificates: Weight = setting("Each server's certificate is trusted and valid for long.")


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What must be so when all is deployed."""

    checks: Checks = setting("")
    deadline: Duration = setting("Time for which a check that is not passed is looked at again.")
    max_error_percent: int = setting(
        "More failed requests than this are too many.", minimum=0, maximum=100
    )
    trail_max_lag: Duration = setting("The audit log may wait so long to be shipped.")


@dataclass(frozen=True, kw_only=True)
class Watching:
    """How a release is watched for its first hours, by `flowrexctl watch-release`."""

    length: Duration = setting("How long after its beginning.", check=some_time)
    every: Duration = setting("Time between two looks.", check=some_time)
    patience: int = setting("As many looks in a row something must be wrong to count.", minimum=1)
    max_error_percent: int = setting(
        "More failed requests than this are too many.", minimum=0, maximum=100
    )
    max_p95: Duration = setting("The 95th percentile of the answers' times may be so long.")
    max_memory_growth_percent: int = setting(
        "More of it than at the first look, and memory leaks.", minimum=0
    )
    max_pool_percent: int = setting(
        "More of the database connections in use than this are too many.", minimum=0, maximum=100
    )
    min_trade_percent: int = setting(
        "Fewer orders executed than this, of those that were tried, are too few.",
        minimum=0,
        maximum=100,
    )
