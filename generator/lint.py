"""What Nomad accepts and Flowrex does not: rules for a job spec that need no server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from generator.render import RenderedJob

Block = dict[str, Any]

# The rule that every task has limits; it is also a hard stop.
LIMITS = "limits"

_SECRET_NAME = re.compile(r"password|secret_?key|token|api_?key|private_key", re.IGNORECASE)
_PLACES = ("${", "/")  # a reference or a path is where a secret is, not the secret


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a job spec.

    Attributes:
        job: the job's name.
        place: the block, such as `group backend, task backend`.
        message: what is wrong, and what is expected.
        rule: which rule it breaks, where others have to know that.
    """

    job: str
    place: str
    message: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.job}: {self.place}: {self.message}"


def lint(job: RenderedJob) -> list[Finding]:
    """Check one rendered job against Flowrex's rules.

    Args:
        job: the rendered job.

    Returns:
        What is wrong with it; an empty list where nothing is.
    """
    import hcl2
    from lark.exceptions import LarkError

    try:
        document = hcl2.loads(job.hcl)
    except LarkError as error:
        reason = str(error).splitlines()[0]
        return [Finding(job.name, "the file", f"is not HCL: {reason}")]
    findings: list[Finding] = []
    for name, body in _labelled(document, "job"):
        if name != job.name:
            findings.append(Finding(job.name, "job", f"is named {name!r}; expected {job.name!r}"))
        if job.kind != "batch":
            findings += _check(job.name, "job", body, _UPDATE_RULES)
        for group, group_body in _labelled(body, "group"):
            place = f"group {group}"
            if job.kind != "batch":
                findings += _check(job.name, place, group_body, _GROUP_RULES)
            for task, task_body in _labelled(group_body, "task"):
                findings += _check(job.name, f"{place}, task {task}", task_body, _TASK_RULES)
    return findings


Rule = Callable[[Block], Iterator[str]]


def _check(job: str, place: str, body: Block, rules: tuple[Rule, ...]) -> list[Finding]:
    return [
        Finding(job, place, message, LIMITS if rule is _is_limited else "")
        for rule in rules
        for message in rule(body)
    ]


def _reverts(body: Block) -> Iterator[str]:
    for update in _blocks(body, "update"):
        if update.get("auto_revert") is not True:
            yield "update.auto_revert is not true: a failed deployment would stay"
        if _text(update.get("health_check")) != "checks":
            yield 'update.health_check is not "checks": a started process would count as healthy'
        return
    yield "there is no update block: every instance would be replaced at once"


def _is_checked(body: Block) -> Iterator[str]:
    checks = [check for service in _blocks(body, "service") for check in _blocks(service, "check")]
    if not checks:
        yield "no service has a health check"
    restarts = [restart for check in checks for restart in _blocks(check, "check_restart")]
    if checks and not any(restart.get("limit", 0) > 0 for restart in restarts):
        yield "no check has a check_restart with a limit; Nomad's default never restarts"


def _is_limited(body: Block) -> Iterator[str]:
    for resources in _blocks(body, "resources"):
        for name in ("cpu", "memory", "memory_max"):
            if name not in resources:
                yield f"resources.{name} is not set"
        return
    yield "there is no resources block: it would run without limits of its own"


def _stops_in_time(body: Block) -> Iterator[str]:
    if "kill_timeout" not in body:
        yield "kill_timeout is not set; Nomad's default of 5s cuts requests off"


def _guards_templates(body: Block) -> Iterator[str]:
    for template in _blocks(body, "template"):
        destination = _text(template.get("destination"))
        if _text(template.get("perms")) != "600":
            yield f"template {destination}: perms is not 600"
        if template.get("error_on_missing_key") is not True:
            yield f"template {destination}: error_on_missing_key is not true"


def _names_a_role(body: Block) -> Iterator[str]:
    for vault in _blocks(body, "vault"):
        if "role" not in vault:
            yield "vault.role is not set: Nomad would take the default role"
        if "policies" in vault:
            yield "vault.policies is set; with workload identity Nomad ignores it, name a role"


def _holds_no_secret(body: Block) -> Iterator[str]:
    for env in _blocks(body, "env"):
        for name, value in env.items():
            text = _text(value)
            if _SECRET_NAME.search(name) and text and not any(sign in text for sign in _PLACES):
                yield f"env.{name} looks like a secret; let a template read it from Vault"


_UPDATE_RULES: tuple[Rule, ...] = (_reverts,)
_GROUP_RULES: tuple[Rule, ...] = (_is_checked,)
_TASK_RULES: tuple[Rule, ...] = (
    _is_limited,
    _stops_in_time,
    _guards_templates,
    _names_a_role,
    _holds_no_secret,
)


def _blocks(body: Block, name: str) -> list[Block]:
    found = body.get(name, [])
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


def _labelled(body: Block, name: str) -> Iterator[tuple[str, Block]]:
    for block in _blocks(body, name):
        for label, inner in block.items():
            if isinstance(inner, dict):
                yield _text(label), inner


def _text(value: object) -> str:
    """Return what a quoted string says; python-hcl2 keeps the quotes."""
    text = str(value)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
