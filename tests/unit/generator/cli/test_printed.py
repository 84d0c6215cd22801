"""A document that is not as its schema says does not get by unnoticed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click
import pytest

from flowrex.command import edge, output
from tests.unit.generator.cli.printed import as_published

GOOD: dict[str, Any] = {"environment": "dev", "jobs": []}


def emit(verb: str, document: dict[str, Any]) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        as_published(patch),
        click.Context(click.Command(verb), info_name=verb),
    ):
        output.emit(document, 0)


def test_one_that_fits_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    emit("flowrexctl promote", GOOD)
    assert '"environment": "dev"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "document", "said"),
    [
        ("flowrexctl promote", {**GOOD, "more": 1}, "'more' was unexpected"),
        ("flowrexctl promote", {"environment": "dev"}, "'jobs'"),
        ("flowrexctl emergency status", GOOD, "emergency-status.schema.json"),
        ("flowrexctl nothing", GOOD, "there is no docs/schemas/nothing.schema.json"),
    ],
)
def test_one_that_does_not_is_a_failure(verb: str, document: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        emit(verb, document)


@pytest.mark.parametrize(("status", "told"), [(0, 0), (1, 1), (1, 0), (0, 1)])
def test_the_status_that_is_told_is_the_processs(status: int, told: int) -> None:
    @click.command("diff")
    def verb() -> int:
        output.emit({"environments": ["dev", "prod"], "differences": {}}, told)
        return status

    group = click.Group(commands={"env": click.Group(commands={"diff": verb})})
    wrong = pytest.raises(AssertionError, match=f"exit_status is {told}, and .* left with {status}")
    with (
        nullcontext() if told == status else wrong,
        pytest.MonkeyPatch.context() as patch,
        as_published(patch),
        pytest.raises(SystemExit),
    ):
        edge.run(group, ["env", "diff"], program="flowrexctl", interrupted_hint="")
