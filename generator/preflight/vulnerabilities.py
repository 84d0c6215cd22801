"""Stop `vulnerabilities`: none is known of the packages that the artifacts hold."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from flowrex.duration import ago, seconds
from generator import audited, evidence
from generator.audited import Lock
from generator.checks.model import Finding, Ground, failed, passed
from generator.environment import Environment


def locks(environment: Environment) -> tuple[Lock, ...]:
    """Return the lock files of what an environment deploys."""
    return (
        audited.APPLICATION,
        *((audited.FRONTEND,) if environment.frontend.enabled else ()),
        # Where it is a unit of the nodes' own, it is installed apart from releases.
        *((audited.AGENT,) if environment.agent.enabled else ()),
    )


def look(ground: Ground) -> Finding:
    """Look for what was found of each lock file that the artifacts are built from."""
    looked = [_look(lock, ground) for lock in locks(ground.environment)]
    wrong = [one for one in looked if not one.passed]
    if not wrong:
        text = "; ".join(one.text for one in looked)
        return passed(
            f"No vulnerability is known: {text}", *(e for o in looked for e in o.evidence)
        )
    hints = dict.fromkeys(one.hint for one in wrong if one.hint)
    return failed(
        "; ".join(one.text for one in wrong),
        *(line for one in wrong for line in one.evidence),
        hint="; ".join(hints),
    )


def _look(lock: Lock, ground: Ground) -> Finding:
    name = ground.environment.name
    path = ground.root / lock.path
    if not path.is_file():
        return failed(f"There is no {lock.path}", hint="Run it in the project's folder.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = evidence.find_vulnerabilities(ground.consul, name, digest)
    hint = f"{lock.command}, then flowrexctl evidence vulnerabilities {name} FILE"
    if found is None:
        return failed(f"Nobody has recorded what is known of {lock.path}", digest, hint=hint)
    age = ground.now - datetime.fromisoformat(found.at)
    limit = ground.environment.preflight.vulnerabilities_max_age
    text = f"{found.packages} packages of {lock.path}, asked for {ago(age.total_seconds())} ago"
    if found.found:
        return failed(
            f"{len(found.found)} vulnerabilities are known: {text}", *found.found, hint=lock.cure
        )
    if age > timedelta(seconds=seconds(limit)):
        return failed(f"{text}, over {limit}", hint=hint)
    return passed(text, digest)
