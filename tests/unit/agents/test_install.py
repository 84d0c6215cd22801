"""The agent is put on a node: its own files are replaced, the administrator's are kept."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from agents.install import FILES, PROGRAM, content, install
from agents.settings import load
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError

UNIT = "usr/lib/systemd/system/flowrex-agent.service"
CONFIGURATION = "etc/flowrex/agent.yaml"


def unit(text: str) -> configparser.SectionProxy:
    """Return a unit's section Service, the last of what stands there several times."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser["Service"]


def test_a_bare_root_gets_every_file(tmp_path: Path) -> None:
    placed = install(tmp_path)
    assert {one.action for one in placed} == {"written"}
    assert (tmp_path / UNIT).read_text() == content(FILES[0])
    assert (tmp_path / "etc/flowrex/credentials").stat().st_mode & 0o777 == 0o700


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    install(tmp_path)
    assert {one.action for one in install(tmp_path)} == {"unchanged"}


def test_a_changed_configuration_is_kept_and_a_changed_unit_is_not(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / CONFIGURATION).write_text("environment: staging\n")
    (tmp_path / UNIT).write_text("[Unit]\n")
    actions = {one.path: one.action for one in install(tmp_path)}
    assert actions[f"/{CONFIGURATION}"] == "kept"
    assert actions[f"/{UNIT}"] == "written"
    assert (tmp_path / CONFIGURATION).read_text() == "environment: staging\n"


def test_the_unit_calls_the_program_that_was_installed(tmp_path: Path) -> None:
    install(tmp_path, program="/srv/agent/bin/flowrex-agent")
    text = (tmp_path / UNIT).read_text()
    assert unit(text)["ExecStart"] == "/srv/agent/bin/flowrex-agent run"
    assert "/opt/flowrex-agent" not in text


def test_what_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "usr").write_text("a file where a folder is wanted")
    with pytest.raises(ConfigurationError, match="can't be written"):
        install(tmp_path)


def test_the_configuration_to_begin_with_is_valid(tmp_path: Path) -> None:
    install(tmp_path)
    assert load(tmp_path / CONFIGURATION).environment == "prod"


def test_systemd_waits_longer_for_the_end_than_the_agent_does(tmp_path: Path) -> None:
    install(tmp_path)
    service = unit((tmp_path / UNIT).read_text())
    stop_within = load(tmp_path / CONFIGURATION).tasks.stop_within
    assert int(service["TimeoutStopSec"]) > seconds(stop_within) + 10


def test_the_agent_is_no_root_and_gets_no_more_than_it_reads() -> None:
    service = unit(content(FILES[0]))
    assert service["User"] == "flowrex-agent"
    assert service["CapabilityBoundingSet"] == "CAP_DAC_READ_SEARCH"
    assert service["NoNewPrivileges"] == "yes"


def test_the_usual_place_of_the_program_is_the_packages() -> None:
    from generator.artifact import agent

    assert agent.PROGRAM == PROGRAM
