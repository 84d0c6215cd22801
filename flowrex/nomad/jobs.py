"""Jobs: parse, validate, plan, register, versions, tags, revert, stop; and evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.errors import NotFound, ServerRefused
from flowrex.nomad.model import Evaluation, JobVersion
from flowrex.nomad.transport import Transport

Spec = Mapping[str, Any]


class IndexConflict(ServerRefused):
    """The job is not at the index that the caller expected."""


@dataclass(frozen=True)
class Submitted:
    """A change of a job that Nomad has taken.

    Attributes:
        evaluation_id: the scheduler's run for it; empty where Nomad makes none.
        index: the modify index that the job has by it.
    """

    evaluation_id: str
    index: int

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Submitted:
        """Read Nomad's JSON."""
        return cls(str(raw.get("EvalID") or ""), int(raw.get("JobModifyIndex") or 0))


@dataclass(frozen=True)
class JobStub:
    """A job in a list.

    Attributes:
        id: its name.
        type: service, batch or system.
        status: pending, running or dead.
        stop: whether somebody has stopped it.
        parent: the job that made it, as a periodic one does; empty where none did.
    """

    id: str
    type: str
    status: str
    stop: bool
    parent: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> JobStub:
        """Read Nomad's JSON."""
        return cls(
            raw["ID"], raw["Type"], raw["Status"], bool(raw["Stop"]), raw.get("ParentID") or ""
        )


class Jobs:
    """What can be done with jobs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def parse(self, hcl: str, *, variables: str = "") -> dict[str, Any]:
        """Let Nomad read a job file.

        Args:
            hcl: the job file.
            variables: values for its HCL2 variables, as lines of a variables file.

        Returns:
            The job as JSON, with Nomad's defaults filled in.
        """
        body = {"JobHCL": hcl, "Canonicalize": True, "Variables": variables}
        job: dict[str, Any] = self._transport.put("jobs/parse", body)
        return job

    def validate(self, job: Spec) -> tuple[list[str], str]:
        """Let Nomad's servers check a parsed job.

        Returns:
            The errors, and the warnings as one text.
        """
        answer = self._transport.put("validate/job", {"Job": job})
        errors = list(answer.get("ValidationErrors") or ())
        if not errors and answer.get("Error"):
            errors = [answer["Error"]]
        return errors, answer.get("Warnings") or ""

    def plan(self, job: Spec) -> dict[str, Any]:
        """Dry-run the scheduler: diff, annotations, failed placements and the index to register at.

        Args:
            job: as `parse` returned it.

        Returns:
            Nomad's answer: `Diff`, `Annotations`, `FailedTGAllocs`, `JobModifyIndex`, `Warnings`.
        """
        body = {"Job": job, "Diff": True}
        plan: dict[str, Any] = self._transport.put(f"job/{job['ID']}/plan", body)
        return plan

    def register(self, job: Spec, *, expected_index: int, source: str | None = None) -> Submitted:
        """Submit a job, only if it is still at `expected_index`.

        Args:
            job: as `parse` returned it.
            expected_index: the JobModifyIndex of the plan; 0 where the job must not exist.
            source: the job file it was parsed from, which Nomad keeps for reading.

        Raises:
            IndexConflict: the job has been changed, made or removed since.
        """
        body: dict[str, Any] = {
            "Job": job,
            "EnforceIndex": True,
            "JobModifyIndex": expected_index,
        }
        if source is not None:
            body["Submission"] = {"Source": source, "Format": "hcl2"}
        try:
            with self._transport.library.mapped():
                answer = self._transport.library.jobs.register_job(body)
        except ServerRefused as error:
            if "Enforcing job modify index" in error.message:
                raise IndexConflict(error.message) from error
            raise
        return Submitted.parse(answer)

    def stubs(self) -> list[JobStub]:
        """Return the namespace's jobs by name; stopped ones too, until Nomad forgets them."""
        found = [JobStub.parse(raw) for raw in self._transport.get("jobs") or ()]
        return sorted(found, key=lambda one: one.id)

    def get(self, job_id: str) -> JobVersion:
        """Return the current version."""
        return JobVersion.parse(self._transport.get(f"job/{job_id}"))

    def find(self, job_id: str) -> JobVersion | None:
        """Return the current version, or None where Nomad has no such job."""
        try:
            return self.get(job_id)
        except NotFound:
            return None

    def versions(self, job_id: str) -> list[JobVersion]:
        """Return the versions that Nomad still has, the newest first."""
        answer = self._transport.get(f"job/{job_id}/versions")
        return [JobVersion.parse(raw) for raw in answer.get("Versions") or ()]

    def version_diffs(
        self, job_id: str, *, against: int | None = None
    ) -> tuple[list[JobVersion], list[dict[str, Any]]]:
        """Return the versions, the newest first, and what each changed.

        Args:
            job_id: the job.
            against: the version that each is compared with; the one before it, unless given, so
                that there is one comparison less than there are versions.

        Raises:
            ServerRefused: Nomad has no version `against`.
        """
        path = f"job/{job_id}/versions"
        answer = self._transport.get(path, diffs="true", diff_version=against)
        versions = [JobVersion.parse(raw) for raw in answer.get("Versions") or ()]
        return versions, list(answer.get("Diffs") or ())

    def revert(self, job_id: str, version: int, *, current: int) -> Submitted:
        """Make an earlier version the newest one.

        Args:
            job_id: the job.
            version: the version to go back to.
            current: the version that the caller believes is the current one; enforced.
        """
        with self._transport.library.mapped():
            answer = self._transport.library.job.revert_job(job_id, version, current)
        return Submitted.parse(answer)

    def tag(self, job_id: str, version: int, name: str, description: str = "") -> None:
        """Name a version, which also keeps it from garbage collection."""
        self._transport.put(
            f"job/{job_id}/versions/{name}/tag", {"Version": version, "Description": description}
        )

    def untag(self, job_id: str, name: str) -> None:
        """Take a version's name away."""
        self._transport.send("DELETE", f"job/{job_id}/versions/{name}/tag")

    def evaluate(self, job_id: str, *, force_reschedule: bool = False) -> str:
        """Run the scheduler for a job again.

        Args:
            job_id: the job.
            force_reschedule: also replace failed allocations whose attempts are used up.

        Returns:
            The id of the evaluation.
        """
        body = {"JobID": job_id, "EvalOptions": {"ForceReschedule": force_reschedule}}
        return str(self._transport.put(f"job/{job_id}/evaluate", body).get("EvalID") or "")

    def scale(self, job_id: str, group: str, count: int, *, reason: str = "") -> str:
        """Change the count of a group and nothing else, as an autoscaler does.

        Nomad makes a new version of it, which has the old one's tag as well.

        Args:
            job_id: the job.
            group: the task group.
            count: how many allocations it is to have.
            reason: kept by Nomad with the change.

        Returns:
            The id of the evaluation.
        """
        body = {"Count": count, "Target": {"Group": group}, "Message": reason}
        return str(self._transport.put(f"job/{job_id}/scale", body).get("EvalID") or "")

    def stop(self, job_id: str, *, purge: bool = False) -> str:
        """Stop a job; with `purge`, forget it as well.

        Returns:
            The id of the evaluation.
        """
        with self._transport.library.mapped():
            answer = self._transport.library.job.deregister_job(
                job_id, purge="true" if purge else None
            )
        return str(answer.get("EvalID") or "")

    def evaluation(self, evaluation_id: str) -> Evaluation:
        """Return one evaluation."""
        return Evaluation.parse(self._transport.get(f"evaluation/{evaluation_id}"))

    def wait_evaluation(
        self, evaluation_id: str, index: int, wait_s: float
    ) -> tuple[Evaluation, int]:
        """Ask for an evaluation by blocking query; see `Transport.wait`."""
        answer = self._transport.wait(f"evaluation/{evaluation_id}", index, wait_s)
        return Evaluation.parse(answer.value), answer.index

    def evaluations(self, job_id: str) -> list[Evaluation]:
        """Return a job's evaluations that Nomad still has, the newest first."""
        raw = self._transport.get(f"job/{job_id}/evaluations") or []
        # Nomad answers with those of every job whose name begins so, too.
        own = [one for one in raw if one["JobID"] == job_id]
        newest_first = sorted(own, key=lambda one: one["CreateIndex"], reverse=True)
        return [Evaluation.parse(one) for one in newest_first]

    def summary(self, job_id: str) -> dict[str, dict[str, int]]:
        """Return, for each task group, how many allocations are in which state."""
        summary: dict[str, dict[str, int]] = self._transport.get(f"job/{job_id}/summary")["Summary"]
        return summary
