"""What became of a job that its schedule starts: each start is a job of its own to Nomad."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowrex.nomad import Allocation, JobVersion, NomadClient
from flowrex.nomad.jobs import JobStub

# Nomad names a start by its time, in seconds since 1970.
_START = re.compile(r"/periodic-(\d+)\Z")


def started(stub: JobStub) -> int:
    """Return when a job was started by a schedule, in seconds since 1970; 0: it was not."""
    found = _START.search(stub.id)
    return int(found[1]) if found else 0


def starts(stubs: Iterable[JobStub], name: str) -> list[JobStub]:
    """Return the starts of a job, the newest first.

    Args:
        stubs: the jobs that Nomad has.
        name: the job that the schedule is in.
    """
    own = [one for one in stubs if one.parent == name and started(one)]
    return sorted(own, key=started, reverse=True)


def runs(nomad: NomadClient, name: str) -> list[Allocation]:
    """Return the allocations of every start that Nomad still knows of, the newest first.

    Args:
        nomad: where they are.
        name: the job that the schedule is in.
    """
    found = starts(nomad.jobs.stubs(), name)
    return [allocation for one in found for allocation in nomad.allocations.of_job(one.id)]


def last_run(nomad: NomadClient, current: JobVersion) -> list[Allocation]:
    """Return the allocations of the last start since this version was submitted.

    Args:
        nomad: where they are.
        current: a version of a periodic job. An earlier version's failure is not this one's.
    """
    found = starts(nomad.jobs.stubs(), current.job_id)
    if not found or started(found[0]) < int(current.submitted.timestamp()):
        return []
    return nomad.allocations.of_job(found[0].id)
