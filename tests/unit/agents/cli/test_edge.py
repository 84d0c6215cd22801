"""Every error of flowrex-agent is reported once, with its exit status, and never as a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from agents.cli import VERBS
from agents.main import main

ROOT = Path(__file__).parents[4]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert isinstance(caught.value.code, int)
    return caught.value.code, out, click.unstyle(err)


def test_every_verb_has_a_module_and_every_module_is_a_verb() -> None:
    folder = ROOT / "agents" / "cli"
    texts = {path.stem: path.read_text() for path in folder.glob("*.py")}
    modules = {name for name, text in texts.items() if "\ndef command(" in text}
    assert {name.replace("_", "-") for name in modules} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, verb, "--help")
    assert status == 0
    assert f"flowrex-agent {verb}" in out.split("\n", 1)[1]


def test_a_good_configuration_is_said_to_be_good(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "agent.yaml").write_text("environment: dev\n")
    status, out, _ = run(capsys, "check-config", "--config", str(tmp_path / "agent.yaml"))
    assert status == 0
    assert "is valid" in out


def test_a_mistake_in_the_configuration_leaves_with_3_and_its_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("environment: dev\nhtpp: {}\n")
    status, out, err = run(capsys, "check-config", "--config", str(path))
    assert (status, out) == (3, "")
    assert err == f"error: {path}:2: unknown setting 'htpp'\nDid you mean 'http'?\n"
    status, out, _ = run(capsys, "check-config", "--config", str(path), "--json")
    assert status == 3
    assert json.loads(out)["error"] == "ConfigurationError"
