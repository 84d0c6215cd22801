"""What a check is, and what looking at it found: a hard stop before a run, or one after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from flowrex.consul import ConsulClient
from flowrex.nomad import NomadClient
from generator.environment import Environment
from generator.fetch import Fetch, Page
from generator.render import RenderedJob

# `unknown` could not be looked at, and stops as `failed` does; `off` the environment has not.
Verdict = Literal["passed", "failed", "unknown", "overridden", "off"]


@dataclass(frozen=True)
class Finding:
    """What a look found.

    Attributes:
        passed: whether it is as it must be.
        text: a sentence.
        evidence: what was looked at, or what is wrong, a line each.
        hint: what to do about it; None where it passed.
    """

    passed: bool
    text: str
    evidence: tuple[str, ...] = ()
    hint: str | None = None


def passed(text: str, *evidence: str) -> Finding:
    """Return that it is as it must be."""
    return Finding(True, text, evidence)


def failed(text: str, *evidence: str, hint: str | None = None) -> Finding:
    """Return that it is not."""
    return Finding(False, text, evidence, hint)


@dataclass(frozen=True)
class Certificate:
    """A server's certificate, whose chain was checked.

    Attributes:
        subject: whom it names first.
        expires: until when it is valid.
    """

    subject: str
    expires: datetime


@dataclass(frozen=True)
class Ground:
    """What is looked at, and by what means.

    Attributes:
        environment: the settings.
        root: the project's folder.
        jobs: the job specs that a run would submit.
        nomad: where they run.
        consul: where they are registered, and the evidence is.
        now: the time, with its zone.
        revision: returns the project's commit, `+changes` where files differ from it,
            `+unknown` where git can't tell, or None outside git; it reads the whole project, which
            few ask for.
        fetch: returns the JSON document at a URL, or raises `ServerUnreachable`.
        certificate: returns the certificate of a host and port after its chain was checked, or
            raises `ServerUnreachable` or `HardStop`, which says what is wrong with it.
        secrets: returns a line for each thing in the project's files that looks like a secret.
        page: returns the page at a URL, whatever its status, or raises `ServerUnreachable`.
        since: when what is looked at began; None where that is not known.
    """

    environment: Environment
    root: Path
    jobs: tuple[RenderedJob, ...]
    nomad: NomadClient
    consul: ConsulClient
    now: datetime
    revision: Callable[[], str | None]
    fetch: Fetch
    certificate: Callable[[str, int], Certificate]
    secrets: Callable[[Path], list[str]]
    page: Callable[[str], Page]
    since: datetime | None = None


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: as it is typed, and as its setting is called.
        title: what must be so, in a few words.
        look: looks.
    """

    name: str
    title: str
    look: Callable[[Ground], Finding]


@dataclass(frozen=True)
class Looked:
    """A check that was looked at."""

    check: Check
    verdict: Verdict
    text: str
    evidence: tuple[str, ...] = ()
    hint: str | None = None

    @property
    def stops(self) -> bool:
        """Whether it is not as it must be, as far as can be told."""
        return self.verdict in {"failed", "unknown"}

    def as_document(self) -> Mapping[str, object]:
        """Return what `--json` prints."""
        return {
            "title": self.check.title,
            "verdict": self.verdict,
            "text": self.text,
            "evidence": list(self.evidence),
            "hint": self.hint,
        }
