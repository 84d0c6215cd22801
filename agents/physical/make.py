"""From settings to the tasks and the verbs' cluster."""

from __future__ import annotations

import os

from agents.alarms import FOLDER, Alarms
from agents.context import Context
from agents.credentials.files import Files
from agents.physical import keys
from agents.physical.stanza import Stanza
from agents.physical.upkeep import Upkeep
from agents.physical.watch import Watch
from agents.task import Task


def tasks(context: Context) -> list[Task]:
    """Return the tasks of physical backups."""
    settings = context.settings
    files = Files.of(os.environ, settings.credentials_dir)
    stanza = Stanza(settings)
    alarms = Alarms(context.clock, context.state(FOLDER) / "physical.json")
    watch = Watch(context, stanza, alarms, lambda: keys.find(settings, files, context.vault))
    return [watch, Upkeep(context, stanza, watch, alarms)]
