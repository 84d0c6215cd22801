"""Whom the deployer tells, and which programs of the project's own it runs."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.notify.settings import Mail, Webhook
from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, setting


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """The project's own programs."""

    dir: str | None = setting(
        "Folder below the project with a folder for each event (`before-run`, `after-run` …) of "
        "executables; null: none are run."
    )
    timeout: Duration = setting("Time after which one is killed.", check=some_time)
    attempts: int = setting("How often one is tried that ends with 75: try again.", minimum=1)
    output: int = setting("Bytes of its output that are shown.", minimum=0, maximum=1_000_000)
    variables: tuple[str, ...] | None = setting(
        "Environment variables of the caller that hooks get as well."
    )


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Whom the deployer tells how a change ended."""

    give_up: Duration = setting(
        "Time after which a message that nobody takes is given up.", check=some_time
    )
    webhook: Webhook = setting("")
    mail: Mail = setting("")
