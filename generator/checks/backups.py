"""Stop `backups`: there is a fresh backup that was read again, and a restore was rehearsed."""

from __future__ import annotations

from datetime import datetime, timedelta

from flowrex import keys
from flowrex.backup_state import BackupState, parse
from flowrex.duration import ago, seconds
from generator.checks.model import Finding, Ground, failed, passed


def look(ground: Ground) -> Finding:
    """Read what the node's agent publishes of the database's backups."""
    environment = ground.environment
    database = environment.postgres.database
    key = keys.backups(database)
    entry = ground.consul.kv_get(key)
    hint = f"flowrexctl backup list {environment.name}; flowrexctl agents {environment.name}"
    if entry is None:
        return failed(f"No agent backs {database} up", f"Consul has no {key}", hint=hint)
    state = parse(key, entry.value)
    wrong = list(_wrong(state, ground))
    evidence = (
        f"newest good: {state.good or 'none'}, of {state.good_at or 'never'}",
        f"last restore drill: {state.drilled or 'none'}, of {state.drilled_at or 'never'}",
    )
    if wrong:
        return failed("; ".join(wrong), *evidence, hint=hint)
    return passed("The newest good backup and the last restore drill are fresh", *evidence)


def _wrong(state: BackupState, ground: Ground) -> list[str]:
    limits = ground.environment.preflight
    wrong = []
    age_s = state.good_age_s(ground.now)
    if age_s is None:
        wrong.append("No backup was ever found good")
    elif age_s > seconds(limits.backup_max_age):
        wrong.append(f"The newest good backup is {ago(age_s)} old, over {limits.backup_max_age}")
    if not state.drilled:
        wrong.append("No backup was ever restored in a drill")
    elif not state.drill_good:
        wrong.append(f"The last restore drill, of {state.drilled}, failed")
    else:
        drilled = ground.now - datetime.fromisoformat(state.drilled_at)
        if drilled > timedelta(seconds=seconds(limits.drill_max_age)):
            wrong.append(
                f"The last restore drill was {ago(drilled.total_seconds())} ago, over "
                f"{limits.drill_max_age}"
            )
    if state.problem:
        wrong.append(f"The last attempt at a backup failed: {state.problem}")
    return wrong
