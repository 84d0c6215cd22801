"""The examples for CI systems call verbs and options that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from generator.cli import group

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "ci").iterdir())
_CALL = re.compile(r"flowrexctl ((?:[^\n\\]|\\\n)+)")


def calls(path: Path) -> list[list[str]]:
    """Return the arguments of each call of flowrexctl in an example."""
    found = [match[1].replace("\\\n", " ") for match in _CALL.finditer(path.read_text())]
    return [shlex.split(re.split(r"\|\||&&|;", text)[0]) for text in found]


CALLS = [(path.name, words) for path in EXAMPLES for words in calls(path)]


def test_there_are_examples() -> None:
    assert [path.name for path in EXAMPLES] == ["github.yml", "gitlab-ci.yml"]
    assert len(CALLS) > 10


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_an_example_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize(("name", "words"), CALLS, ids=[" ".join(words[:2]) for _, words in CALLS])
def test_a_call_is_understood(
    name: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("tests.xml", "audit.json", "npm-audit.json", "agent-audit.json", "release.plan"):
        (tmp_path / file).touch()
    # Parsed as typed, and not carried out.
    command: click.Command = group
    context = click.Context(group, info_name="flowrexctl")
    while isinstance(command, click.Group):
        assert words, f"{name}: a verb is missing"
        verb, words = words[0], words[1:]
        found = command.get_command(context, verb)
        assert found is not None, f"{name}: there is no verb {verb}"
        command, context = found, click.Context(found, parent=context, info_name=verb)
    command.parse_args(click.Context(command, info_name=command.name), list(words))
