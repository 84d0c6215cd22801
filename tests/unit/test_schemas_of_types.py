"""A type that is printed as it is has the fields and the words that its schema has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import reduce
from typing import Any, get_args

import pytest

from agents.backup import view
from agents.backup.catalog import Backup
from agents.backup.records import Record
from agents.physical.info import Backup as PhysicalBackup
from flowrex import errors
from flowrex.audit.proof import Break
from flowrex.emergency import Level
from generator import deploy, differ, drift, evidence, lock, plan, release, unlock
from generator.artifact.made import Artifact
from generator.bootstrap.report import State as BootstrapState
from generator.checks import model
from generator.dev import down, status, supervise
from generator.dev.servers import binary
from generator.images.manifest import Built, Manifest
from generator.lint import Finding
from generator.migrations import Schema
from generator.postdeploy import first_day
from generator.releases import compare
from generator.render import catalog
from tests import schemas

LEVELS = [level.word for level in Level]

# Where the words of a Literal are, and which.
WORDS: dict[str, Iterable[str | None]] = {
    "parts $defs outcome properties result": get_args(deploy.Result),
    "parts $defs release properties kind": get_args(release.Kind),
    "parts $defs change properties kind": get_args(differ.Kind),
    "parts $defs finding properties verdict": get_args(model.Verdict),
    "parts $defs server properties origin": (*get_args(binary.Origin), None),
    "parts $defs response properties level": LEVELS,
    "status properties emergency": LEVELS,
    "render properties jobs items properties kind": get_args(catalog.Kind),
    "plan properties jobs items properties kind": get_args(catalog.Kind),
    "plan properties jobs items properties action": get_args(plan.Action),
    "drift properties jobs items properties state": get_args(drift.State),
    "releases-diff properties jobs items properties state": get_args(compare.State),
    "watch-release properties looks items properties kind": get_args(first_day.Kind),
    "unlock properties how": (*get_args(unlock.How), None),
    "dev-status properties servers items properties state": get_args(status.State),
    "bootstrap properties steps items properties state": [one.value for one in BootstrapState],
}

# Where the fields of a type are, and what is printed beside them.
FIELDS: dict[str, tuple[type, set[str]]] = {
    "parts $defs outcome": (deploy.Outcome, set()),
    "parts $defs holder": (lock.Holder, set()),
    "parts $defs release": (release.Release, set()),
    "parts $defs database_schema": (Schema, set()),
    "parts $defs removed": (down.Removed, set()),
    "parts $defs physical_backup": (PhysicalBackup, set()),
    "validate properties errors items": (Finding, set()),
    "validate properties warnings items": (Finding, set()),
    "evidence-tests": (evidence.Tests, {"exit_status"}),
    "evidence-vulnerabilities": (evidence.Vulnerabilities, {"exit_status"}),
    "audit-verify properties breaks items": (Break, set()),
    "build oneOf 2": (Manifest, {"exit_status"}),
    "build oneOf 2 properties images additionalProperties": (Built, set()),
    "dev-up properties servers items": (supervise.Started, set()),
    "dev-status properties servers items": (status.ServerStatus, set()),
}


def at(place: str) -> Any:
    """Return what stands at a place in a schema."""
    name, *path = place.split()
    steps = (int(key) if key.isdigit() else key for key in path)
    return reduce(lambda found, step: found[step], steps, schemas.published()[name])


@pytest.mark.parametrize("place", WORDS)
def test_the_words_are_those_of_the_type(place: str) -> None:
    assert set(at(place)["enum"]) == set(WORDS[place])


@pytest.mark.parametrize("place", FIELDS)
def test_the_fields_are_those_of_the_type(place: str) -> None:
    kind, more = FIELDS[place]
    expected = {one.name for one in dataclasses.fields(kind)} | more
    assert set(at(place)["properties"]) == set(at(place)["required"]) == expected


def test_an_artifact_is_printed_without_its_name() -> None:
    fields = {one.name for one in dataclasses.fields(Artifact)} - {"name"}
    assert set(at("parts $defs artifact")["required"]) == fields


def test_a_backup_is_as_its_agent_tells_of_it() -> None:
    record = Record("hold", datetime(2026, 3, 1, tzinfo=UTC), by="anna", text="case 17")
    backup = Backup("manual_20260301_120000", None, "no manifest", (record,), 9)
    result = view.whole(backup, [record])
    answer = {"request": "1", "state": "done", "message": "", "exit_status": 0}
    assert schemas.wrong({**answer, "result": result}, "backup-show") is None
    assert set(at("backup-show properties result properties")) == set(result)
    listed = {**answer, "result": {"backups": [view.line(backup)]}}
    assert schemas.wrong(listed, "backup-list") is None
    assert set(at("parts $defs backup properties")) == set(view.line(backup))


def test_the_kinds_of_errors_are_named() -> None:
    kinds = {
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, errors.FlowrexError)
    }
    assert kinds <= set(at("error properties error")["examples"])
