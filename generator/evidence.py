"""Proof that was made elsewhere and is kept in Consul, where the hard stops read it.

A CI system runs the tests and asks for known vulnerabilities; the deployer must know how both ended
for exactly what it is about to deploy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar
from xml.etree import ElementTree

from flowrex import keys
from flowrex.audit import outbox
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError
from generator.lock import Holder

Kind = Literal["tests", "vulnerabilities"]
T = TypeVar("T", bound="Tests | Vulnerabilities")

_KEPT = 50
# A suite's sums, and the elements that each is the sum of.
_ELEMENTS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


@dataclass(frozen=True)
class Tests:
    """How the tests of a commit ended.

    Attributes:
        subject: the commit.
        at: when it was recorded, ISO 8601 in UTC.
        by: the person or the system that recorded it, and from which machine.
        tests: how many there are.
        failures: how many failed.
        errors: how many could not be run.
        skipped: how many were left out.
    """

    subject: str
    at: str
    by: str
    tests: int
    failures: int
    errors: int
    skipped: int


@dataclass(frozen=True)
class Vulnerabilities:
    """What is known of the packages of a lock file.

    Attributes:
        subject: the SHA-256 of the lock file.
        at: when it was recorded, ISO 8601 in UTC.
        by: the person or the system that recorded it, and from which machine.
        packages: how many packages were asked for.
        found: a line for each known vulnerability.
        lock: the lock file, in the project.
    """

    subject: str
    at: str
    by: str
    packages: int
    found: tuple[str, ...]
    # What was recorded before there were two has none, and is of this one.
    lock: str = "requirements/app.lock"


def tests_of(paths: Iterable[Path], revision: str) -> Tests:
    """Add up reports in JUnit's XML, as pytest writes them with `--junitxml`.

    A suite's sums count, and so do its elements, where these are more: some write no sums.

    Args:
        paths: the files.
        revision: the commit that was tested.

    Raises:
        ConfigurationError: a file is no such report, or they hold no test.
    """
    counts = dict.fromkeys(_ELEMENTS, 0)
    for path in paths:
        for suite in _suites(path):
            for name, element in _ELEMENTS.items():
                said = suite.get(name, "0")
                if not (said.isascii() and said.isdecimal()):
                    raise ConfigurationError(f"{name} is {said!r}; expected a number", path=path)
                counts[name] += max(int(said), sum(1 for _ in suite.iter(element)))
    if not counts["tests"]:
        raise ConfigurationError(
            "the reports hold no test", hint="Run them with `pytest --junitxml=FILE`."
        )
    at, by = mark()
    return Tests(revision, at, by, **counts)


def _suites(path: Path) -> list[ElementTree.Element]:
    try:
        # A report of one's own tests; expat refuses entities that blow up.
        root = ElementTree.parse(path).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigurationError(f"can't be read as a JUnit report: {error}", path=path) from error
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    if root.tag not in {"testsuite", "testsuites"}:
        raise ConfigurationError(
            f"is no JUnit report: its first element is {root.tag!r}", path=path
        )
    return suites


def mark() -> tuple[str, str]:
    """Return when and by whom something is recorded that is recorded now, ISO 8601 and who@host."""
    me = Holder.myself("")
    return datetime.now(UTC).isoformat(timespec="seconds"), f"{me.who}@{me.host}"


def record(consul: ConsulClient, environment: str, proof: Tests | Vulnerabilities) -> None:
    """Keep a proof, in the place of an earlier one of the same thing; forget the oldest.

    Args:
        consul: where it is kept.
        environment: for which.
        proof: what was found.
    """
    kind: Kind = "tests" if isinstance(proof, Tests) else "vulnerabilities"
    outbox.leave(
        consul,
        environment,
        f"evidence {kind}",
        "done",
        by=proof.by,
        detail={"proof": json.dumps(asdict(proof))},
    )
    consul.kv_put(keys.evidence(environment, kind, proof.subject), json.dumps(asdict(proof)))
    entries = consul.kv_list(keys.evidence(environment, kind))
    entries.sort(key=lambda one: one.modify_index)
    for entry in entries[: max(0, len(entries) - _KEPT)]:
        consul.kv_delete(entry.key)


def find_tests(consul: ConsulClient, environment: str, revision: str) -> Tests | None:
    """Return how the tests of a commit ended, or None where nobody has said."""
    return _find(consul, keys.evidence(environment, "tests", revision), Tests)


def find_vulnerabilities(
    consul: ConsulClient, environment: str, lock_sha256: str
) -> Vulnerabilities | None:
    """Return what is known of a lock file's packages, or None where nobody has said."""
    key = keys.evidence(environment, "vulnerabilities", lock_sha256)
    return _find(consul, key, Vulnerabilities)


def _find(consul: ConsulClient, key: str, kind: type[T]) -> T | None:
    entry = consul.kv_get(key)
    if entry is None:
        return None
    try:
        document = json.loads(entry.value)
        if isinstance(document.get("found"), list):
            document["found"] = tuple(document["found"])
        return kind(**document)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"is no such evidence: {error}", path=key, hint="flowrexctl evidence records it anew."
        ) from error
