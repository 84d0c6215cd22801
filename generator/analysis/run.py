"""Watching a canary for a while, and judging it again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowrex.duration import seconds
from flowrex.errors import ServerUnreachable
from flowrex.nomad import Deployment
from generator.analysis import measure
from generator.analysis.judge import Row, Verdict, judge
from generator.environment.model import Analysis
from generator.prometheus import Prometheus
from generator.watch import Event, Watch

# Prometheus' own look at what it has just seen may be one scrape late.
_FAILS = 2


@dataclass(frozen=True)
class Analyst:
    """Who judges a job's canary.

    Attributes:
        rules: the limits, and for how long it is looked at.
        prometheus: finds the Prometheus that has seen it; asked anew each time, since it may move.
    """

    rules: Analysis
    prometheus: Callable[[], Prometheus]

    def __call__(self, watch: Watch, job: str, deployment: Deployment) -> Verdict:
        """Look at a canary that is healthy until the verdict is sure.

        It is `fail` when two looks in a row say so, and else what the last look says when
        `duration` is over. A Prometheus that can't be asked leaves it at `hold`. What it answers
        in the time of `warm_up` before counts for nothing.

        Args:
            watch: whom to ask and to tell.
            job: the job.
            deployment: its deployment, whose canary is healthy.

        Returns:
            The verdict; `hold` where the deployment ended meanwhile, which its follower then sees.
        """
        watch.pause(seconds(self.rules.warm_up))
        begun = watch.clock.now()
        end, bad, told = begun + seconds(self.rules.duration), 0, ""
        while True:
            watch.pause(seconds(self.rules.interval))
            now = watch.ask(job, watch.nomad.deployments.get, deployment.id)
            if not now.active:
                return Verdict("hold", ())
            verdict = self._look(watch, job, now, watch.clock.now() - begun)
            bad = bad + 1 if verdict.kind == "fail" else 0
            text = f"{verdict.kind}: " + ("; ".join(verdict.reasons) or "as good as the stable one")
            if text != told:
                told = text
                watch.tell(Event(job, "analysis", text, dict(verdict.as_document())))
            if bad >= _FAILS or (watch.clock.now() >= end and bad == 0):
                return verdict

    def _look(self, watch: Watch, job: str, deployment: Deployment, window_s: float) -> Verdict:
        allocations = watch.ask(job, watch.nomad.deployments.allocations, deployment.id)
        canaries = {one for group in deployment.groups.values() for one in group.canaries}
        restarts = sum(
            task.restarts
            for one in allocations
            if one.id in canaries
            for task in one.tasks.values()
        )
        try:
            prometheus = self.prometheus()
            canary = measure.sample(prometheus, job, canary=True, window_s=window_s)
            stable = measure.sample(prometheus, job, canary=False, window_s=window_s)
            against = measure.against(prometheus, self.rules.queries)
        except ServerUnreachable as error:
            return Verdict("hold", (Row("Prometheus", error.message, "", "must answer", "hold"),))
        return judge(self.rules, canary, stable, restarts=restarts, against=against)
