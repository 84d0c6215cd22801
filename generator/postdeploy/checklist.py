"""The checks after a deployment, in their order, and what an environment makes of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from flowrex.duration import seconds
from flowrex.errors import DeploymentFailed
from generator.checks import backups, certificates, health, monitoring
from generator.checks.look import look_at
from generator.checks.model import Check, Ground, Looked
from generator.environment.validation import Validation
from generator.postdeploy import alerts, endpoints, errors, running, traffic, trail
from generator.recorder import Recorder
from generator.watch import Clock, Event, Watch

CHECKS = (
    Check("running", "every job runs its newest version", running.look),
    Check("health", "what runs is healthy", health.look),
    Check("endpoints", "what clients ask answers", endpoints.look),
    Check("traffic", "every instance gets requests", traffic.look),
    Check("metrics", "monitoring sees everything", monitoring.look),
    Check("errors", "few requests fail", errors.look),
    Check("alerts", "no alert fires, and one would arrive", alerts.look),
    Check("trail", "the audit log is shipped", trail.look),
    Check("backups", "a fresh backup was verified, a restore was rehearsed", backups.look),
    Check("certificates", "certificates are valid", certificates.look),
)
_PAUSE_S = 2.0


def weight(validation: Validation, name: str) -> str:
    """Return what an environment makes of a check: `required`, `told` or `off`."""
    return str(getattr(validation.checks, name))


def look(ground: Ground, clock: Clock, *, guard: Callable[[], None] = lambda: None) -> list[Looked]:
    """Look at every check, and again at those that are not passed until the deadline.

    What was deployed a moment ago was not looked at by Prometheus yet, for example.

    Args:
        ground: what is looked at.
        clock: waits between two looks.
        guard: called before each look; raises where it is not to go on.

    Returns:
        What was found last, in the order of `CHECKS`.
    """
    validation = ground.environment.validation
    off = [one.name for one in CHECKS if weight(validation, one.name) == "off"]
    began = clock.now()
    found = {one.check.name: one for one in look_at(CHECKS, ground, off=off)}
    while open_ := [one.check for one in found.values() if one.stops]:
        passed_s = clock.now() - began
        if passed_s + _PAUSE_S > seconds(validation.deadline):
            break
        clock.sleep(_PAUSE_S)
        guard()
        later = replace(ground, now=ground.now + timedelta(seconds=clock.now() - began))
        found |= {one.check.name: one for one in look_at(open_, later)}
    return [found[one.name] for one in CHECKS]


def refuse(environment: str, validation: Validation, looked: Sequence[Looked]) -> None:
    """Raise where a required check is not passed.

    Args:
        environment: its name.
        validation: the environment's settings.
        looked: what was found.

    Raises:
        DeploymentFailed: a release that is deployed does not work.
    """
    wrong = [
        f"{one.check.name}: {one.text}"
        for one in looked
        if one.stops and weight(validation, one.check.name) == "required"
    ]
    if wrong:
        raise DeploymentFailed(
            "all is deployed, and it does not work: " + "; ".join(wrong),
            hint=f"See what was looked at: flowrexctl verify {environment}\n"
            f"Bring the release before back: flowrexctl rollback {environment}",
        )


@dataclass(frozen=True)
class Validator:
    """Looks at the checks under the lock, when all is deployed.

    Attributes:
        ground: returns what is looked at, as it is then.
    """

    ground: Callable[[], Ground]

    def __call__(self, watch: Watch, recorder: Recorder) -> None:
        """Look, tell and record.

        Args:
            watch: whom to tell.
            recorder: gets what was found.

        Raises:
            DeploymentFailed: a required check is not passed.
        """
        ground = self.ground()
        validation = ground.environment.validation
        looked = look(ground, watch.clock, guard=watch.guard)
        for one in looked:
            if one.verdict != "off":
                text = f"{one.check.name} {one.verdict}: {one.text}"
                if one.stops:
                    text = "; ".join((text, *one.evidence))
                watch.tell(Event("", f"check-{one.verdict}", text))
        recorder.checked({one.check.name: one.verdict for one in looked if one.verdict != "off"})
        refuse(ground.environment.name, validation, looked)
