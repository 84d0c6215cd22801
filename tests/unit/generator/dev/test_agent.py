"""The cluster's agent gets a configuration that an agent takes, and credentials in files."""

from __future__ import annotations

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
    assert set(command.environ) == {"PYTHONPATH", "MALLOC_ARENA_MAX"}
