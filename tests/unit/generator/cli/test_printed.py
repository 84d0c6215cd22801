"""A document that is not as its schema says does not get by unnoticed."""

from __future__ import annotations

from typing import Any

import click
import pytest

from flowrex.command import output
from tests.unit.generator.cli.printed import as_published

GOOD: dict[str, Any] = {"environment": "dev", "exit_status": 0, "jobs": []}


def emit(verb: str, document: dict[str, Any]) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        as_published(patch),
        click.Context(click.Command(verb), info_name=verb),
    ):
        output.emit(document)


def test_one_that_fits_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    emit("flowrexctl promote", GOOD)
    assert '"environment": "dev"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "document", "said"),
    [
        ("flowrexctl promote", {**GOOD, "more": 1}, "'more' was unexpected"),
        ("flowrexctl promote", {"environment": "dev", "jobs": []}, "'exit_status'"),
        ("flowrexctl emergency status", GOOD, "emergency-status.schema.json"),
        ("flowrexctl nothing", GOOD, "there is no docs/schemas/nothing.schema.json"),
    ],
)
def test_one_that_does_not_is_a_failure(verb: str, document: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        emit(verb, document)
