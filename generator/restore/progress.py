"""How far a restore is, in Consul: what a process that died leaves to the next one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError

Step = Literal["stopping", "restoring", "migrating", "starting"]
Source = Literal["logical", "physical"]


@dataclass(frozen=True)
class Progress:
    """One restore.

    Attributes:
        backup: its name; from physical backups, the moment.
        database: what is restored.
        node: whose agent restores.
        by: who began it.
        at: when, an ISO 8601 time.
        migrate: whether migrations are run afterwards.
        step: what is being done, or was when it was cut off.
        request: the id of the request to the agent; empty before there is one.
        jobs: each job that was stopped, with the version that ran.
        source: which backups it comes from.
        record: the id of its record beside the releases; empty before the database is restored.
    """

    backup: str
    database: str
    node: str
    by: str
    at: str
    migrate: bool
    step: Step = "stopping"
    request: str = ""
    jobs: Mapping[str, int] = field(default_factory=dict)
    source: Source = "logical"
    record: str = ""

    def sentence(self) -> str:
        """Say how far it is."""
        did = {
            "stopping": "stopping the jobs",
            "restoring": f"waiting for the agent of {self.node}",
            "migrating": "running the migrations",
            "starting": "starting the jobs again",
        }[self.step]
        jobs = ", ".join(f"{name} (version {version})" for name, version in self.jobs.items())
        return (
            f"The restore of {self.backup} into {self.database} by {self.by}, begun {self.at}, was "
            f"{did}. Stopped by it: {jobs or 'nothing'}."
        )


def read(consul: ConsulClient, environment: str) -> Progress | None:
    """Return how far the environment's restore is; None where there is none.

    Raises:
        ConfigurationError: what stands there can't be read.
    """
    key = keys.restore(environment)
    entry = consul.kv_get(key)
    if entry is None:
        return None
    try:
        document: dict[str, Any] = json.loads(entry.value)
        found = Progress(**document)
        if found.step not in get_args(Step):
            raise ValueError(f"step {found.step!r}")
        if found.source not in get_args(Source):
            raise ValueError(f"source {found.source!r}")
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"is no restore of this version of flowrexctl: {error}",
            path=key,
            hint=f"Start what is stopped, then: consul kv delete {key}",
        ) from error
    return found


def write(consul: ConsulClient, environment: str, progress: Progress) -> None:
    """Write how far it is, before the step is begun."""
    consul.kv_put(keys.restore(environment), json.dumps(asdict(progress)))


def end(consul: ConsulClient, environment: str) -> None:
    """Forget it: it is over."""
    consul.kv_delete(keys.restore(environment))


def ways_on(environment: str) -> str:
    """Return what can be done with an unfinished restore."""
    return (
        f"Go on with it:                              flowrexctl restore {environment} --resume\n"
        f"Start the jobs again on what is there now:  flowrexctl restore {environment} --abandon"
    )
