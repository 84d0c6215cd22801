"""What keeps a task's templates from being written, and what keeps it from its logins."""

from __future__ import annotations

import re

from flowrex.nomad import TaskEvent
from generator import mask, sources
from generator.diagnose.cause import Case, Cause, Rank, flat

_FAILED = "Template failed: "
_VAULT = "Vault: "
_KEY = re.compile(r'at <(?P<at>[^>]*)>: map has no entry for key "(?P<key>[^"]*)"')
_LINE = re.compile(r"template: [^:]*:(?P<line>\d+)(?::\d+)?: (?P<why>.*)")
_NO_ROLE = re.compile(r'role "(?P<role>[^"]*)" could not be found')
_CLAIM = re.compile(r'claim "(?P<claim>[^"]*)" does not match')
_REFUSED = re.compile(r"Code: 403")
_ERRORS = re.compile(r".*Errors: \* (?P<why>.*)")


def read(event: TaskEvent, case: Case) -> Cause | None:
    """Return the reason that an event gives; None for an event of another subject."""
    message = mask.shapes(flat(event.message))
    if event.type == "Template" and (waited := sources.named(message)):
        return _missing(waited, case)
    if message.startswith(_FAILED):
        return _failed(message.removeprefix(_FAILED), case)
    if event.type == "Killing" and message.startswith(_VAULT):
        return _login(message.removeprefix(_VAULT), case)
    if "failed to derive Consul token" in message:
        why = message.partition("failed to derive Consul token for ")[2].partition(": ")[2]
        if "403" in why:
            why = f"it refuses the login of job {case.job}"
        return Cause(Rank.BEGIN, f"Consul gives it no token: {why}", case.bootstrap)
    return None


def _failed(message: str, case: Case) -> Cause:
    validate = f"Whether a template is right: flowrexctl validate {case.environment}"
    if found := sources.named(message):
        if _REFUSED.search(message):
            return _refused(found[0], case)
        return _missing(found[:1], case)
    if key := _KEY.search(message):
        return Cause(
            Rank.BEGIN,
            f"its template reads {key['at']}, and what it is given has no {key['key']!r}",
            validate,
        )
    if line := _LINE.search(message):
        return Cause(
            Rank.BEGIN, f"its template is wrong in line {line['line']}: {line['why']}", validate
        )
    return Cause(Rank.BEGIN, f"its template can't be written: {message}", validate)


def _missing(waited: list[str], case: Case) -> Cause:
    parts = [_waits(one, case) for one in waited]
    return Cause(Rank.BEGIN, "; ".join(text for text, _ in parts), parts[0][1])


def _waits(source: str, case: Case) -> tuple[str, str]:
    kind, name = sources.parts(source)
    what = {"vault": f"the secret {name}", "kv": f"the key {name}"}.get(kind, source)
    server = {"vault": "Vault", "kv": "Consul"}.get(kind, "")
    there = case.sources.get(source)
    if not server:
        return f"its template waits for {what}", ""
    if there:
        cause = _refused(source, case)
        return cause.sentence, cause.remedy
    if there is None:
        text = f"its template waits for {what}: {server} does not have it, or refuses it"
        return f"{text}{_to_role(kind, case)}", case.bootstrap
    return f"its template waits for {what}, which {server} does not have", _put(kind, name)


def _refused(source: str, case: Case) -> Cause:
    kind, name = sources.parts(source)
    if kind == "kv":
        text = f"Consul has the key {name}, and refuses it to the task"
    else:
        text = f"Vault refuses the secret {name}{_to_role(kind, case)}"
    return Cause(Rank.BEGIN, text, case.bootstrap)


def _to_role(kind: str, case: Case) -> str:
    role = (case.spec.get("Vault") or {}).get("Role")
    return f" to its role {role}" if kind == "vault" and role else " to the task"


def _put(kind: str, name: str) -> str:
    if kind == "kv":
        return f"Write it: consul kv put {name} -"
    mount, _, rest = name.partition("/data/")
    # The value comes from standard input: an argument is seen by everybody on the machine.
    return f"Write it: vault kv put -mount={mount} {rest} NAME=-"


def _login(message: str, case: Case) -> Cause:
    role = (case.spec.get("Vault") or {}).get("Role") or "of the login's default"
    if found := _NO_ROLE.search(message):
        return Cause(
            Rank.BEGIN,
            f"Vault refuses its login: there is no role {found['role']}",
            case.bootstrap,
        )
    if claim := _CLAIM.search(message):
        return Cause(
            Rank.BEGIN,
            f"Vault refuses its login: role {role} is for another {claim['claim']} than that of "
            f"job {case.job}",
            case.bootstrap,
        )
    why = _ERRORS.sub(r"\g<why>", message)
    return Cause(Rank.BEGIN, f"it gets no token of Vault: {why}", case.bootstrap)
