"""The cluster's agent gets a configuration that an agent takes, and credentials in files."""

from __future__ import annotations

import re
from pathlib import Path

from agents.settings import load
from generator.dev import agent
from generator.dev.layout import Layout
from generator.environment import load as load_environment

ROOT = Path(__file__).parents[4]


def test_the_agent_takes_the_clusters_configuration(tmp_path: Path) -> None:
    layout = Layout(tmp_path, 20000)
    environment = load_environment(ROOT, "dev", environ={"FLOWREX_DEV_DIR": str(tmp_path)})
    path = tmp_path / "agent.yaml"
    path.write_text(agent.text(layout, environment))
    taken = load(path)
    assert taken.environment == "dev"
    assert taken.node == "node-1"
    assert taken.http.port == 20077
    assert taken.consul.address == layout.consul_address


def test_its_command_line_holds_no_secret(tmp_path: Path) -> None:
    command = agent.command(Layout(tmp_path, 20000))
    assert list(command.argv)[1:4] == ["-m", "agents.main", "run"]
    assert all(name == "PYTHONPATH" or name.startswith("MALLOC_") for name in command.environ)


def test_it_allocates_as_the_agent_of_a_real_node_does(tmp_path: Path) -> None:
    unit = (ROOT / "agents/systemd/flowrex-agent.service").read_text()
    command = agent.command(Layout(tmp_path, 20000))
    chosen = [f"{name}={value}" for name, value in command.environ.items() if name[0] == "M"]
    assert chosen == re.findall(r"MALLOC_\w+=\S+", unit)
