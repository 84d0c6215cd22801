"""Stop `rollback`: the way back was walked not long ago, so that it is known to work."""

from __future__ import annotations

from datetime import datetime, timedelta

from flowrex.duration import ago, seconds
from generator import release
from generator.checks.model import Finding, Ground, failed, passed


def look(ground: Ground) -> Finding:
    """Look for a rollback that ended well among the release records."""
    environment = ground.environment
    records = release.history(ground.consul, environment.name)
    if not any(one.outcome == "done" for one in records):
        return passed("Nothing was deployed yet that could be rolled back")
    limit = environment.preflight.rollback_max_age
    walked = [one for one in records if one.kind == "rollback" and one.outcome == "done"]
    hint = (
        "Rehearse it when a canary may be shown: flowrexctl rollback "
        f"{environment.name}, then flowrexctl run {environment.name}"
    )
    if not walked:
        return failed("No rollback was ever rehearsed here", hint=hint)
    age = ground.now - datetime.fromisoformat(walked[0].started)
    text = f"The last rollback was {ago(age.total_seconds())} ago, by {walked[0].who}"
    if age > timedelta(seconds=seconds(limit)):
        return failed(f"{text}, over {limit}", walked[0].id, hint=hint)
    return passed(text, walked[0].id)
