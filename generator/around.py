"""What is done around a change: hooks before and after it, and people who are told how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from os.path import lexists
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from flowrex.errors import FlowrexError
from generator.release import Release
from generator.watch import Event, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowrex.secret import Secret
    from generator.environment import Environment
    from generator.hooks import Hooks
    from generator.notify import Notifier


@dataclass(frozen=True)
class Around:
    """Hooks and messages.

    Attributes:
        hooks: the project's own programs.
        notifier: tells people.
        tell: gets an event where something after the change went wrong.
    """

    hooks: Hooks
    notifier: Notifier
    tell: Callable[[Event], None]

    def before(self, record: Release) -> None:
        """Run what comes before.

        Raises:
            HardStop: a hook does not let it begin.
        """
        self.hooks.before(record)

    def after(self, record: Release) -> None:
        """Tell people and run what comes after. How the change ended stays as it is."""
        from generator.notify import message_of

        try:
            finish = self.notifier.begin(message_of(record))
            self.hooks.after(record)
            finish()
        except FlowrexError as error:
            self.tell(Event("", "hook-failed", error.message))


def of_environment(
    environment: Environment,
    root: Path,
    tell: Callable[[Event], None],
    *,
    hooks_may_refuse: bool = True,
) -> Around | None:
    """Return what is done around a change of an environment; None where that is nothing.

    Args:
        environment: the settings.
        root: the project's folder.
        tell: gets each event.
        hooks_may_refuse: whether hooks may stand in the way of the change.

    Raises:
        ConfigurationError: hooks would never be run; see `Hooks.check`.
    """
    told = environment.notify
    folder = environment.hooks.dir
    hooked = folder is not None and lexists(root / folder)
    if not (told.webhook.enabled or told.mail.enabled or hooked):
        return None
    from generator import hooks
    from generator.notify import SECRET, Notifier

    def secrets() -> Mapping[str, Secret]:
        from generator import access

        vault = access.vault(environment)
        return vault.kv_read(SECRET, mount=environment.vault.kv_mount) or {}

    return Around(
        hooks.of_project(environment.hooks, root, tell, may_refuse=hooks_may_refuse),
        Notifier(told, secrets, gethostname(), tell, SystemClock()),
        tell,
    )
