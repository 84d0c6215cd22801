"""The trial of a healthy canary, before anybody may promote it."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.nomad import Deployment
from generator.analysis.run import Analyst
from generator.facts import Facts
from generator.failure import fail, given_up, see_revert
from generator.watch import Event, Watch


@dataclass(frozen=True)
class Trial:
    """How a healthy canary is tried before it may be promoted; one that is worse is given up.

    Attributes:
        analyst: compares it with the stable version.
        promote: whether one that is found good is promoted; else a person decides.
    """

    analyst: Analyst
    promote: bool

    def of(self, watch: Watch, seen: Facts, deployment: Deployment) -> bool:
        """Let a canary be compared with the stable version, and tell whether it is promoted.

        Args:
            watch: whom to ask and to tell.
            seen: what is known of the deployment; it gets how that ended.
            deployment: whose canary is healthy; one that waits for nothing is not tried.

        Raises:
            DeploymentFailed: it is worse, and was given up.
        """
        if not deployment.waits_for_promotion:
            return False
        verdict = self.analyst(watch, seen.job, deployment)
        if verdict.kind != "fail":
            return self.promote and verdict.kind == "promote"
        if fail(watch, deployment) is not None:
            return False  # it ended otherwise meanwhile, which its follower sees
        text = "the canary is worse than the stable version: " + "; ".join(verdict.reasons)
        watch.tell(Event(seen.job, "failed", text, dict(verdict.as_document())))
        seen.deployment = watch.ask(seen.job, watch.nomad.deployments.get, deployment.id)
        see_revert(watch, seen, seen.deployment)
        raise given_up(watch, seen, f"was given up: {text}")
