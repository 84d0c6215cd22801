"""A plan on disk: what was approved, so that exactly that runs.

A version 2 plan is JSON:

    {"flowrex_plan": 2, "environment": …, "release": …, "created": …,
     "made_from": {"revision": …, "tree": …, "schema": {"revision": …, "irreversible": …}},
     "jobs": [{"name": …, "kind": …, "index": …, "version": …, "sha256": …, "hcl": …}],
     "sha256": of all the rest}

`index` is the job's modify index, which Nomad compares when the job is submitted. The checksums
catch a cut-off or an edited file; they are no signature. `made_from` is the state of the project,
which may be another one where the plan runs; a version 1 plan did not say it, and is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from flowrex.errors import ConfigurationError, UsageError
from flowrex.files import write_atomic
from generator.migrations import Schema
from generator.origin import MadeFrom
from generator.plan import JobPlan
from generator.render import RenderedJob

VERSION = 2
_KINDS = ("service", "batch", "system")


@dataclass(frozen=True)
class PlannedJob:
    """One job of a plan file; see `generator.plan.JobPlan` for the fields."""

    job: RenderedJob
    index: int
    version: int | None


@dataclass(frozen=True)
class Plan:
    """A plan file's content."""

    environment: str
    release: str
    created: datetime
    made_from: MadeFrom
    jobs: tuple[PlannedJob, ...]


class Planned(Protocol):
    """A job of a plan, in memory or from a file."""

    @property
    def job(self) -> RenderedJob:
        """The spec."""

    @property
    def index(self) -> int:
        """The modify index that it was planned at."""


def content_hash(environment: str, release: str, jobs: Sequence[Planned]) -> str:
    """Return what a plan is known by: the same for a plan in memory and for its file.

    Args:
        environment: whose.
        release: the version that it deploys.
        jobs: in the order of deployment.
    """
    content = [[one.job.name, one.index, one.job.sha256] for one in jobs]
    return _digest({"environment": environment, "release": release, "jobs": content})


def write(
    path: Path,
    environment: str,
    release: str,
    plans: Sequence[JobPlan],
    created: datetime,
    made_from: MadeFrom,
) -> None:
    """Write a plan file, readable by its owner only.

    Args:
        path: the file.
        environment: the environment's name.
        release: the version of the application that it deploys.
        plans: what was shown.
        created: when.
        made_from: the state of the project.
    """
    document: dict[str, Any] = {
        "flowrex_plan": VERSION,
        "environment": environment,
        "release": release,
        "created": created.astimezone(UTC).isoformat(timespec="seconds"),
        "made_from": asdict(made_from),
        "jobs": [
            {
                "name": plan.job.name,
                "kind": plan.job.kind,
                "index": plan.index,
                "version": plan.version,
                "sha256": plan.job.sha256,
                "hcl": plan.job.hcl,
            }
            for plan in plans
        ],
    }
    document["sha256"] = _digest(document)
    try:
        write_atomic(path, json.dumps(document, indent=1) + "\n", mode=0o600)
    except OSError as error:
        raise UsageError(f"the plan can't be written to {path}: {error.strerror}") from error


def read(path: Path, environment: str) -> Plan:
    """Read a plan file and refuse one that is not whole, not for `environment` or not known.

    Args:
        path: the file.
        environment: the environment that it must be for.

    Raises:
        ConfigurationError: the file is no plan, is damaged, edited, or of another version.
        UsageError: it is missing, or for another environment.
    """
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"the plan {path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise _refused(path, "this is no plan: it is not JSON") from error
    if not isinstance(document, dict) or "flowrex_plan" not in document:
        raise _refused(path, "this is no plan")
    if document["flowrex_plan"] != VERSION:
        raise _refused(
            path, f"plan version {document['flowrex_plan']!r} is not known here, only {VERSION}"
        )
    if document.pop("sha256", None) != _digest(document):
        raise _refused(path, "the plan was changed after it was made, or is not whole")
    plan = _parse(path, document)
    if plan.environment != environment:
        raise UsageError(
            f"the plan {path} is for {plan.environment}, not for {environment}",
            hint=f"flowrexctl run {plan.environment} --plan {path}",
        )
    return plan


def _parse(path: Path, document: dict[str, Any]) -> Plan:
    try:
        jobs = tuple(_job(path, raw) for raw in document["jobs"])
        return Plan(
            environment=str(document["environment"]),
            release=str(document["release"]),
            created=datetime.fromisoformat(document["created"]),
            made_from=_made_from(document["made_from"]),
            jobs=jobs,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, f"the plan lacks something: {error}") from error


def _made_from(raw: dict[str, Any]) -> MadeFrom:
    schema = raw["schema"]
    return MadeFrom(raw["revision"], raw["tree"], None if schema is None else Schema(**schema))


def _job(path: Path, raw: dict[str, Any]) -> PlannedJob:
    hcl, sha256, kind = str(raw["hcl"]), str(raw["sha256"]), raw["kind"]
    if hashlib.sha256(hcl.encode()).hexdigest() != sha256:
        raise _refused(path, f"the spec of {raw['name']} does not match its checksum")
    if kind not in _KINDS:
        raise _refused(path, f"job {raw['name']} is of unknown kind {kind!r}")
    version = raw["version"]
    return PlannedJob(
        job=RenderedJob(name=str(raw["name"]), kind=kind, hcl=hcl, sha256=sha256),
        index=int(raw["index"]),
        version=None if version is None else int(version),
    )


def _digest(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(why, path=path, hint="Make a new one: flowrexctl plan ENV --out FILE")
