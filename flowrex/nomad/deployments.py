"""Deployments: Nomad's own account of whether a version got into service."""

from __future__ import annotations

from flowrex.nomad.model import Allocation, Deployment
from flowrex.nomad.transport import Transport


class Deployments:
    """What can be done with deployments."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def of_job(self, job_id: str) -> list[Deployment]:
        """Return a job's deployments that Nomad still has, the newest first."""
        raw = self._transport.get(f"job/{job_id}/deployments") or []
        newest_first = sorted(raw, key=lambda one: one["CreateIndex"], reverse=True)
        return [Deployment.parse(one) for one in newest_first]

    def get(self, deployment_id: str) -> Deployment:
        """Return one deployment."""
        return Deployment.parse(self._transport.get(f"deployment/{deployment_id}"))

    def wait(self, deployment_id: str, index: int, wait_s: float) -> tuple[Deployment, int]:
        """Ask for a deployment by blocking query; see `Transport.wait`."""
        answer = self._transport.wait(f"deployment/{deployment_id}", index, wait_s)
        return Deployment.parse(answer.value), answer.index

    def allocations(self, deployment_id: str) -> list[Allocation]:
        """Return the allocations that a deployment made or changed."""
        raw = self._transport.get(f"deployment/allocations/{deployment_id}")
        return [Allocation.parse(one) for one in raw or ()]

    def promote(self, deployment_id: str) -> None:
        """Let the canaries of every group replace the old allocations."""
        with self._transport.library.mapped():
            self._transport.library.deployment.promote_deployment_all(deployment_id)

    def fail(self, deployment_id: str) -> None:
        """Give a deployment up; where the job says so, Nomad goes back to its stable version."""
        with self._transport.library.mapped():
            self._transport.library.deployment.fail_deployment(deployment_id)
