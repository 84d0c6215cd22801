"""What a node does in an emergency, and whom it tells."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.notify.settings import Mail, Webhook
from flowrex.settings.declare import Duration, setting


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """The node's own programs."""

    dir: str = setting(
        "Folder of executables that are run at each change of the emergency, in the order of their "
        "names.",
        pattern=r"/.*",
    )
    timeout: Duration = setting("Time after which one is killed.")
    output: int = setting("Bytes of its output that are logged.", minimum=0, maximum=1_000_000)
    repeat: bool = setting(
        "Whether one that a dying agent cut off is run again; FLOWREX_ATTEMPT tells it so."
    )


@dataclass(frozen=True, kw_only=True)
class Emergency:
    """The emergency watch."""

    enabled: bool = setting("Whether this node follows the kill switch.")
    grace: Duration = setting("Time without a word of Consul after which the state is unknown.")
    backup: bool = setting("Whether a backup is taken at once, where this node makes any.")
    hooks: Hooks = setting("")


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """What is told of alarms: of the archive of WAL, of backups, drills and snapshots."""

    enabled: bool = setting("Whether each is told, once when it is raised and once when over.")
    after: Duration = setting("Time for which it must have stood; what is over sooner is not told.")


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Whom the agent tells."""

    retry: Duration = setting("Time before the second try; it doubles from there.")
    retry_max: Duration = setting("Most time between two tries.")
    give_up: Duration = setting(
        "Age at which a message that could not be sent is put aside, and logged."
    )
    alarms: Alarms = setting("")
    webhook: Webhook = setting("")
    mail: Mail = setting("")
