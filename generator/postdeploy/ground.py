"""What is looked at after a deployment: all of an environment's jobs, by their names alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flowrex.consul import ConsulClient
from flowrex.nomad import NomadClient
from generator.checks import edges
from generator.checks.model import Ground
from generator.environment import Environment
from generator.render import RenderedJob, select


def ground_of(
    environment: Environment,
    root: Path,
    nomad: NomadClient,
    consul: ConsulClient,
    *,
    since: datetime | None,
) -> Ground:
    """Return what is looked at, now.

    Args:
        environment: the settings.
        root: the project's folder.
        nomad: where the jobs run.
        consul: where they are registered.
        since: when the deployment began.
    """
    # Their specs are in Nomad; to render them would ask for what a promotion does without.
    jobs = [RenderedJob(job.name, job.kind, "", "") for job in select(environment)]
    return edges.ground(environment, root, jobs, nomad, consul, since=since)
