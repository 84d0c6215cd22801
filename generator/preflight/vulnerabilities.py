"""Stop `vulnerabilities`: none is known of the packages that the application's artifact holds."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from flowrex.duration import ago, seconds
from generator import evidence
from generator.checks.model import Finding, Ground, failed, passed

LOCK = "requirements/app.lock"


def look(ground: Ground) -> Finding:
    """Look for what was found of the lock file that the artifact is built from."""
    name = ground.environment.name
    hint = (
        f"pip-audit --requirement {LOCK} --format json --output FILE, then "
        f"flowrexctl evidence vulnerabilities {name} FILE"
    )
    path = ground.root / LOCK
    if not path.is_file():
        return failed(f"There is no {LOCK}", hint="Run it in the project's folder.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = evidence.find_vulnerabilities(ground.consul, name, digest)
    if found is None:
        return failed(f"Nobody has recorded what is known of {LOCK}", digest, hint=hint)
    age = ground.now - datetime.fromisoformat(found.at)
    limit = ground.environment.preflight.vulnerabilities_max_age
    text = f"{found.packages} packages of {LOCK}, asked for {ago(age.total_seconds())} ago"
    if found.found:
        return failed(
            f"{len(found.found)} vulnerabilities are known: {text}", *found.found,
            hint="Pin a version without it: make lock",
        )  # fmt: skip
    if age > timedelta(seconds=seconds(limit)):
        return failed(f"{text}, over {limit}", hint=hint)
    return passed(f"No vulnerability is known: {text}", digest)
