"""The agent's configuration is read whole, or refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.settings import REFERENCE, Agent, load
from flowrex.errors import ConfigurationError
from flowrex.settings import source
from flowrex.settings.schema import settings


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_means_the_reference(tmp_path: Path) -> None:
    agent = load(written(tmp_path, ""))
    assert agent.environment == "prod"
    assert agent.http.port == 9877


def test_the_nodes_file_says_only_what_differs(tmp_path: Path) -> None:
    agent = load(written(tmp_path, "environment: staging\nvault:\n  login: certificate\n"))
    assert agent.environment == "staging"
    assert agent.vault.login == "certificate"
    assert agent.vault.role == "agent"


def test_an_unknown_setting_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, "environment: dev\nvault:\n  adress: http://127.0.0.1:8200\n")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert caught.value.message == f"{path}:3: unknown setting 'vault.adress'"
    assert caught.value.hint == "Did you mean 'vault.address'?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http:\n  address: 0.0.0.0\n", "2: http.address is '0.0.0.0'; expected one of"),
        ("state_dir: state\n", "1: state_dir is 'state'; expected a value of the form /.*"),
        ("status:\n  interval: 30\n", "2: status.interval is 30; expected a length of time"),
    ],
)
def test_a_bad_value_says_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text))
    assert message in caught.value.message


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "agent.yaml")
    assert "flowrex-agent install" in str(caught.value.hint)


def test_every_setting_says_what_it_does_and_stands_in_the_reference() -> None:
    tree = source.read(REFERENCE, "reference.yaml")
    for one in settings(Agent):
        value = tree
        for key in one.path.split("."):
            assert isinstance(value.content, dict)
            assert key in value.content, one.path
            value = value.content[key]
        assert one.doc.strip(), one.path
