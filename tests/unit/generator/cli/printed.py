"""What verbs print with --json, compared with their schemas as they print it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NoReturn

import click
import pytest

from flowrex.command import edge, output
from tests import schemas


@contextmanager
def as_published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail at the end of a block in which a document was printed that is not as its schema says,
    or tells another exit status than the process's.

    Not before: what is raised within a verb would be reported as its bug.
    """
    problems: list[str] = []
    told: list[int] = []

    def check(name: str, text: str) -> str:
        if (problem := schemas.wrong(json.loads(text), name)) is not None:
            problems.append(f"{problem}\n{text}")
        return text

    def of_verb(document: object, **how: Any) -> str:
        verb = click.get_current_context().command_path
        if isinstance(document, dict) and "exit_status" in document:
            told.append(document["exit_status"])
        return check(schemas.name_of(verb), json.dumps(document, **how))

    def of_error(document: object, **how: Any) -> str:
        told.clear()  # where a verb failed after lines
        return check(schemas.ERROR, json.dumps(document, **how))

    def leave(status: int) -> NoReturn:
        if told and told[-1] != status:
            problems.append(f"exit_status is {told[-1]}, and the process left with {status}")
        told.clear()
        sys.exit(status)

    # Verbs import `emit` by its name; what it makes the text with is in one place.
    monkeypatch.setattr(output, "json", SimpleNamespace(dumps=of_verb))
    monkeypatch.setattr(edge, "json", SimpleNamespace(dumps=of_error))
    monkeypatch.setattr(edge, "sys", SimpleNamespace(exit=leave))
    yield
    assert not problems, "\n".join(problems)
