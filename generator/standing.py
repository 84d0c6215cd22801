"""Where each job of an environment stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from flowrex.nomad import Allocation, Deployment, JobVersion, NomadClient
from generator import periodic
from generator.plan import latest, succeeded


@dataclass(frozen=True)
class Standing:
    """One job as Nomad has it now.

    Attributes:
        name: the job.
        current: its newest version; None where Nomad has no such job.
        deployment: the deployment of that version, if there is one.
        versions: those that Nomad still has, the newest first.
        allocations: the job's, of every version, the newest first; of a periodic job those of its
            last start.
    """

    name: str
    current: JobVersion | None
    deployment: Deployment | None = None
    versions: tuple[JobVersion, ...] = ()
    allocations: tuple[Allocation, ...] = field(default=(), repr=False)

    @property
    def canary_waits(self) -> bool:
        """Whether it waits for a promotion, ready or not."""
        return self.deployment is not None and self.deployment.waits_for_promotion

    @property
    def moving(self) -> bool:
        """Whether a deployment is on its way."""
        return self.deployment is not None and self.deployment.active

    @property
    def release(self) -> str | None:
        """The application's version in the newest spec."""
        return release_of(self.current) if self.current else None

    @property
    def state(self) -> str:
        """A word or two for people and programs."""
        if self.current is None:
            return "absent"
        if self.current.type == "batch":
            return self._batch_state()
        if self.current.stop:
            return "stopped"
        if self.canary_waits and self._canary_healthy():
            return "canary"
        if self.deployment is None:
            # Nomad forgets a deployment whose instances were all replaced since, and keeps of it
            # that its version was found good.
            return "in service" if self.current.stable else self.current.status
        words = {"successful": "in service", "running": "deploying"}
        return words.get(self.deployment.status, self.deployment.status)

    def _canary_healthy(self) -> bool:
        groups = self.deployment.groups.values() if self.deployment else ()
        return all(one.healthy >= one.desired_canaries for one in groups)

    def _batch_state(self) -> str:
        assert self.current is not None
        if self.current.periodic and self.current.stop:
            return "stopped"
        last = latest(self.allocations, self.current.version)
        if any(one.live for one in last):
            return "running"
        if not all(succeeded(one) for one in last):
            return "failed"
        if self.current.periodic:
            return "scheduled"
        return "ran" if last else self.current.status

    @property
    def counts(self) -> Mapping[str, int]:
        """How many allocations are wanted, run and are healthy, and how many canaries run."""
        live = [one for one in self.allocations if one.live]
        waiting = self.deployment.groups.values() if self.canary_waits and self.deployment else ()
        canaries = {one for group in waiting for one in group.canaries}
        return {
            "desired": self._desired(),
            "running": sum(one.client_status == "running" for one in live),
            "healthy": sum(one.healthy is True for one in live),
            "canaries": sum(one.id in canaries for one in live),
        }

    def _desired(self) -> int:
        if self.current is None:
            return 0
        if self.current.type == "system" and self.deployment is not None:
            # As many as there were nodes for it, which its spec does not say, but those that Nomad
            # has lost since.
            wanted = sum(group.desired_total for group in self.deployment.groups.values())
            return wanted - self._lost_nodes()
        return self.current.count

    def _lost_nodes(self) -> int:
        assert self.current is not None
        newest: dict[str, Allocation] = {}
        for one in self.allocations:
            newest.setdefault(one.node, one)
        return sum(
            one.client_status == "lost" and one.job_version == self.current.version
            for one in newest.values()
        )

    def next_command(self, environment: str) -> str | None:
        """Return what to type next, if anything has to be done."""
        if self.state == "canary":
            return f"flowrexctl promote {environment} {self.name}"
        if self.state == "failed" and self.current is not None and self.current.periodic:
            return f"flowrexctl logs {environment} {self.name}"
        if self.state in {"absent", "failed", "stopped", "cancelled"}:
            return f"flowrexctl run {environment} {self.name}"
        return None


def release_of(version: JobVersion) -> str | None:
    """Return the application's version that a job's version runs."""
    release = (version.spec.get("Meta") or {}).get("release")
    return str(release) if release else None


def standing(nomad: NomadClient, name: str, *, whole: bool = True) -> Standing:
    """Return how a job stands.

    Args:
        nomad: where the job is.
        name: the job.
        whole: also fetch its allocations.
    """
    current = nomad.jobs.find(name)
    if current is None:
        return Standing(name, None)
    deployments = nomad.deployments.of_job(name)
    allocations: Sequence[Allocation] = ()
    if whole:
        scheduled = current.periodic
        allocations = (
            periodic.last_run(nomad, current) if scheduled else nomad.allocations.of_job(name)
        )
    return Standing(
        name=name,
        current=current,
        deployment=next((one for one in deployments if one.job_version == current.version), None),
        versions=tuple(nomad.jobs.versions(name)),
        allocations=tuple(allocations),
    )


def standings(nomad: NomadClient, names: Sequence[str]) -> tuple[Standing, ...]:
    """Return how each job stands, asked concurrently, in the order of the names."""
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as threads:
        return tuple(threads.map(lambda name: standing(nomad, name), names))
