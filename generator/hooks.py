"""The project's own programs before and after a change; docs/hooks.md.

They are in `<hooks.dir>/<event>/`. One that is run before may refuse the change. Nothing is run
before a canary is given up and before a rollback: nothing may stand in the way of these.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from flowrex import hooks
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, HardStop
from flowrex.settings.schema import nearest
from generator import mask
from generator.environment.telling import Hooks as Settings
from generator.release import Release
from generator.watch import Clock, Event, SystemClock

EVENTS = [
    "before-run",
    "before-promote",
    "after-run",
    "after-promote",
    "after-fail",
    "after-rollback",
]
# sysexits.h: a temporary failure, which the caller is to try again.
_TRY_AGAIN = 75
_PAUSE_S = 2.0


@dataclass(frozen=True)
class Hooks:
    """Runs them.

    Attributes:
        settings: which, and for how long.
        root: the project's folder, in which they run.
        tell: gets an event for each that was run.
        environ: the caller's environment, of which they get what the settings name.
        clock: waits between two tries.
    """

    settings: Settings
    root: Path
    tell: Callable[[Event], None]
    environ: Mapping[str, str]
    clock: Clock

    def check(self) -> None:
        """Refuse what would mean that hooks are never run.

        Raises:
            ConfigurationError: there is a folder for an event that there is not, an event's is no
                folder, or that of all of them can't be read.
        """
        folder = self._folder()
        if folder is None or not os.path.lexists(folder):
            return
        try:
            found = sorted(folder.iterdir())
        except OSError as error:
            raise ConfigurationError(
                f"the hooks can't be looked at: {error.strerror}",
                path=folder,
                hint="It must be a folder that this user can read; `hooks.dir: null` runs none.",
            ) from error
        for path in found:
            if path.name in EVENTS and not path.is_dir():
                raise ConfigurationError(
                    "is no folder, and its hooks would never be run",
                    path=path,
                    hint=f"Hooks are executables in a folder of this name: {path.name}/10-name.",
                )
            if path.is_dir() and path.name not in EVENTS and not path.name.startswith("."):
                raise ConfigurationError(
                    f"there is no event {path.name!r}, and its hooks would never be run",
                    path=path,
                    hint=nearest("", path.name, EVENTS),
                )

    def before(self, record: Release) -> None:
        """Run what comes before a change.

        Args:
            record: of the change, as it begins.

        Raises:
            HardStop: one of them refuses it, can't be run, or can't even be looked for.
        """
        event = f"before-{record.kind}"
        if event not in EVENTS:
            return
        try:
            found = self._of(event)
        except ConfigurationError as error:
            raise HardStop(error.message, hint=f"{error.hint} Nothing was changed.") from error
        for path in found:
            result = self._run(path, event, record)
            if not result.ok:
                said = result.output.strip()
                raise HardStop(
                    f"the hook {event}/{path.name} does not let it begin: it {result.sentence}"
                    + (f", and said: {mask.shapes(said)}" if said else ""),
                    hint="Nothing was changed.",
                )

    def after(self, record: Release) -> None:
        """Run what comes after a change. None of them can undo it: one that fails is told.

        Args:
            record: of the change, as it ended.
        """
        event = f"after-{record.kind}"
        try:
            found = self._of(event)
        except ConfigurationError as error:
            self.tell(Event("", "hook-failed", error.message))
            return
        for path in found:
            self._run(path, event, record)

    def _folder(self) -> Path | None:
        return None if self.settings.dir is None else self.root / self.settings.dir

    def _of(self, event: str) -> list[Path]:
        folder = self._folder()
        if folder is None:
            return []
        return [folder / event / name for name in hooks.listed(folder / event)]

    def _run(self, path: Path, event: str, record: Release) -> hooks.Result:
        limit_s = seconds(self.settings.timeout)
        for attempt in range(1, self.settings.attempts + 1):
            result = hooks.run(
                path,
                {"event": event, "attempt": attempt, "release": asdict(record)},
                self._environment(event, record, attempt),
                timeout_s=limit_s,
                keep=self.settings.output,
                cwd=self.root,
            )
            self._told(f"{event}/{path.name}", result)
            if result.status != _TRY_AGAIN or attempt == self.settings.attempts:
                break
            self.clock.sleep(_PAUSE_S * attempt)
        return result

    def _told(self, name: str, result: hooks.Result) -> None:
        said = mask.shapes(result.output.strip())
        text = f"hook {name} {result.sentence}" + (f": {said}" if said else "")
        self.tell(Event("", "hook" if result.ok else "hook-failed", text))

    def _environment(self, event: str, record: Release, attempt: int) -> dict[str, str]:
        named = {
            "FLOWREX_EVENT": event,
            "FLOWREX_ENVIRONMENT": record.environment,
            "FLOWREX_KIND": record.kind,
            "FLOWREX_RELEASE": record.version or "",
            "FLOWREX_RELEASE_ID": record.id,
            "FLOWREX_REVISION": record.revision or "",
            "FLOWREX_OUTCOME": record.outcome,
            "FLOWREX_REASON": record.reason or "",
            "FLOWREX_WHO": record.who,
            "FLOWREX_ATTEMPT": str(attempt),
        }
        own = {
            one: self.environ[one] for one in self.settings.variables or () if one in self.environ
        }
        return hooks.environ({**own, **named})


def of_project(
    settings: Settings, root: Path, tell: Callable[[Event], None], *, may_refuse: bool = True
) -> Hooks:
    """Return the hooks of a project, with this process's environment and clock.

    Args:
        settings: which, and for how long.
        root: the project's folder.
        tell: gets each event.
        may_refuse: whether hooks may stand in the way of the change; else what is wrong with them
            is told, and no more.

    Raises:
        ConfigurationError: hooks would never be run; see `Hooks.check`.
    """
    found = Hooks(settings, root, tell, os.environ, SystemClock())
    try:
        found.check()
    except ConfigurationError as error:
        if may_refuse:
            raise
        tell(Event("", "hook-failed", error.message))
    return found
