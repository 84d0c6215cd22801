"""What has to be so before a run touches the first job: the hard stops, and a backup."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from generator.checks.model import Ground
from generator.deploy import Step
from generator.node_requests import Desk
from generator.predeploy import back_up
from generator.preflight import stops
from generator.recorder import Recorder
from generator.watch import Event


@dataclass(frozen=True)
class Preparation:
    """How a run is prepared, under the lock.

    Attributes:
        ground: what the hard stops look at.
        overrides: the stops that are not to stop; why is the run's own reason.
        skip_backup: why no backup is taken; None takes one where the environment asks for it.
        tell: gets each event.
        taken: the backup that a run took which this one goes on with.
    """

    ground: Ground
    overrides: Collection[str]
    skip_backup: str | None
    tell: Callable[[Event], None]
    taken: str | None = None

    def __call__(self, steps: Sequence[Step], recorder: Recorder) -> None:
        """Look at the hard stops, then take the backup.

        Args:
            steps: what the run will do.
            recorder: gets what was overridden, and the backup's name.

        Raises:
            HardStop: a stop holds, or there is no good backup.
            ServerUnreachable: no agent takes a backup.
        """
        environment = self.ground.environment
        looked = stops.look(self.ground, self.overrides)
        for one in looked:
            if one.verdict != "off":
                text = f"{one.check.name} {one.verdict}: {one.text}"
                self.tell(Event("", f"stop-{one.verdict}", text))
        overridden = [one for one in looked if one.verdict == "overridden"]
        recorder.overrode({one.check.name: one.text for one in overridden})
        stops.refuse(environment.name, looked)
        if not environment.deploy.backup:
            return
        if self.taken is not None:
            recorder.backed_up(self.taken)
            self.tell(Event("", "backup", f"{self.taken} was taken before the run began"))
            return
        desk = Desk(
            environment.name,
            self.ground.consul,
            lambda text: self.tell(Event("", "backup", text)),
        )
        backup = back_up(desk, steps, skip=self.skip_backup)
        if backup is None:
            return
        if backup.name is None:
            recorder.without_backup(backup.skipped or "")
            return
        recorder.backed_up(backup.name)
        self.tell(Event("", "backup", f"{backup.name} was taken and read again"))
