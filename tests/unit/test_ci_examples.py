"""The examples for CI systems call verbs and options that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from generator.cli import group
from generator.environment import load

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


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_what_is_planned_was_built_for_the_environments_driver(path: Path) -> None:
    found = calls(path)
    verbs = [words[0] for words in found]
    (build,) = (words for words in found if words[0] == "build")
    assert verbs.index("build") < verbs.index("validate") < verbs.index("plan")
    environment = build[build.index("--push") + 1]
    driver = load(ROOT, environment, environ={}).platform.driver
    assert ("--images" in build) == (driver == "docker")
    version = build[build.index("--version") + 1]
    for words in found:
        if words[0] in {"validate", "plan"}:
            assert words[1] == environment
            assert words[words.index("--set") + 1] == f"release.version={version}"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_the_nightly_look_is_for_what_was_released(path: Path) -> None:
    # No file of the environment names the version that the pipeline has deployed.
    (drift,) = (words for words in calls(path) if words[0] == "drift")
    assert "--as-released" in drift
