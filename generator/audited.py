"""What pip-audit and npm say of the packages that a lock file names, read whole or refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowrex.errors import ConfigurationError
from generator import evidence

_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)")
_FORMATS = "a report of `pip-audit --format json`, or of `npm audit --json` (npm 7 or newer)"
# Errors of reading a document that is not as it is promised to be.
_MISREAD = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Lock:
    """A lock file whose packages are deployed.

    Attributes:
        path: where it is in the project.
        tool: what says which vulnerabilities are known of them.
        command: asks it, and leaves its report in FILE.
        cure: what to do about one that is known.
    """

    path: str
    tool: str
    command: str
    cure: str


def _python(path: str) -> Lock:
    command = f"pip-audit --requirement {path} --format json --output FILE"
    return Lock(path, "pip-audit", command, "Pin a version without it: make lock")


APPLICATION = _python("requirements/app.lock")
AGENT = _python("requirements/agent.lock")
FRONTEND = Lock(
    "frontend/package-lock.json",
    "npm",
    "npm --prefix frontend audit --omit=dev --json > FILE",
    "Lock a version without it: npm --prefix frontend audit fix",
)


def read(report: Path, root: Path) -> evidence.Vulnerabilities:
    """Read a report on one of the lock files, which its format tells.

    Args:
        report: what pip-audit printed with `--format json`, or npm's audit with `--json`.
        root: the project, whose lock files they are.

    Raises:
        ConfigurationError: it is neither, or is about other packages than the lock file's.
    """
    try:
        document = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"can't be read as JSON: {error}; expected {_FORMATS}", path=report, hint=_hint()
        ) from error
    known = document if isinstance(document, dict) else {}
    if "auditReportVersion" in known:
        return _npm(known, report, root)
    if "dependencies" in known:
        return _pip_audit(known, report, root)
    if "error" in known:
        raise ConfigurationError(
            f"holds no report, but what npm failed with: {_failure(known)}",
            path=report,
            hint="Ask again where npm reaches a registry that answers audits.",
        )
    held = f"an object with {', '.join(sorted(known)[:5]) or 'nothing'}"
    raise ConfigurationError(
        f"holds {held if isinstance(document, dict) else f'a {type(document).__name__}'}; "
        f"expected {_FORMATS}",
        path=report,
        hint=_hint(),
    )


def _hint() -> str:
    return "; ".join(lock.command for lock in (APPLICATION, AGENT, FRONTEND))


def _failure(document: Mapping[str, Any]) -> str:
    error = document["error"] if isinstance(document["error"], dict) else {}
    told = (error.get("summary"), document.get("message"), error.get("code"))
    return next((str(one) for one in told if one), "it does not say why")


def _content(lock: Lock, root: Path) -> bytes:
    try:
        return (root / lock.path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"can't be read: {error.strerror}", path=root / lock.path
        ) from error


def _found(lock: Lock, content: bytes, count: int, lines: list[str]) -> evidence.Vulnerabilities:
    digest = hashlib.sha256(content).hexdigest()
    return evidence.Vulnerabilities(digest, *evidence.mark(), count, tuple(lines), lock.path)


def _misread(lock: Lock, error: Exception, path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"can't be read as {lock.tool}'s report: {error!r}", path=path, hint=lock.command
    )


def _foreign(lock: Lock, what: str, report: Path) -> ConfigurationError:
    return ConfigurationError(_other(lock, what), path=report, hint=lock.command)


def _other(lock: Lock, what: str) -> str:
    return f"is not on {lock.path}: {what}"


def _pip_audit(document: Mapping[str, Any], report: Path, root: Path) -> evidence.Vulnerabilities:
    try:
        listed: list[Mapping[str, Any]] = document["dependencies"]
        covered = {_name(one["name"]): str(one.get("version")) for one in listed}
        lines = [
            f"{one['name']} {one['version']}: {vuln['id']}"
            + (f", fixed in {', '.join(vuln['fix_versions'])}" if vuln["fix_versions"] else "")
            for one in listed
            for vuln in one.get("vulns", ())
        ]
    except _MISREAD as error:
        raise _misread(APPLICATION, error, report) from error
    lacking: list[str] = []
    for lock in (APPLICATION, AGENT):
        content = _content(lock, root)
        pins = _pins(content.decode(errors="replace"))
        missing = [f"{name} {pin}" for name, pin in pins.items() if covered.get(name) != pin]
        if pins and not missing:
            return _found(lock, content, len(pins), lines)
        what = f"it lacks {', '.join(missing[:5])}" if missing else "that pins no package"
        lacking.append(_other(lock, what))
    raise ConfigurationError("; ".join(lacking), path=report, hint=_hint())


def _pins(text: str) -> dict[str, str]:
    found = (_PIN.match(line) for line in text.splitlines())
    return {_name(one[1]): one[2] for one in found if one}


def _name(text: str) -> str:
    """Return a package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", text).lower()


def _npm(document: Mapping[str, Any], report: Path, root: Path) -> evidence.Vulnerabilities:
    if document["auditReportVersion"] != 2:
        raise ConfigurationError(
            f"auditReportVersion is {document['auditReportVersion']!r}; expected 2",
            path=report,
            hint=FRONTEND.command,
        )
    content = _content(FRONTEND, root)
    packages = _packages(content, root / FRONTEND.path)
    try:
        # npm lists no package of which it knows nothing; how many it saw is all that it tells.
        seen = int(document["metadata"]["dependencies"]["total"])
        vulnerable: Mapping[str, Mapping[str, Any]] = document["vulnerabilities"]
        nodes = {name: tuple(map(str, one["nodes"])) for name, one in vulnerable.items()}
        strange = sorted({node for some in nodes.values() for node in some} - packages.keys())
        if strange or seen != len(packages):
            what = f"{strange[0]} is not in it" if strange else ""
            what = what or f"it is on {seen} packages, and {len(packages)} are locked"
            raise _foreign(FRONTEND, what, report)
        shipped = {path: one for path, one in packages.items() if not one.get("dev")}
        lines = [
            f"{name} {shipped[node]['version']}: {told}"
            for name, one in vulnerable.items()
            for node in nodes[name]
            if node in shipped
            for told in _advisories(one, vulnerable)
        ]
    except _MISREAD as error:
        raise _misread(FRONTEND, error, report) from error
    return _found(FRONTEND, content, len(shipped), lines)


def _packages(content: bytes, path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what is locked, by its folder; the project itself is no package of it."""
    try:
        packages = json.loads(content)["packages"]
        return {folder: dict(one) for folder, one in packages.items() if folder}
    except _MISREAD as error:
        raise ConfigurationError(
            f"can't be read as a lock of npm 7 or newer: {error!r}", path=path
        ) from error


def _advisories(one: Mapping[str, Any], all_of_them: Mapping[str, object]) -> Iterator[str]:
    """Tell why a package is vulnerable; what it only relies on is told of where it is."""
    for via in one["via"]:
        if isinstance(via, str):
            if via not in all_of_them:
                yield f"relies on {via}"
            continue
        name = str(via["url"]).rstrip("/").rpartition("/")[2] or str(via["source"])
        yield f"{name}, {via['severity']}, in {via['range']}"
