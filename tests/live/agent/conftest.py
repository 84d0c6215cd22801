"""A machine with the agent's Debian package on it; none of the servers is there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.artifact import agent as packages
from tests.cluster import FLOWREXCTL, ROOT, copy_project, eventually
from tests.live.agent.machine import Machine, booted

PROGRAM = packages.PROGRAM
DROP_IN = "/etc/systemd/system/flowrex-agent.service.d/tests.conf"
# Shorter than on a node, so that a test need not wait for minutes.
SHORT = """
[Service]
ExecStart=
ExecStart=/opt/flowrex-agent/bin/probe run
WatchdogSec=4
RestartSec=1
TimeoutStopSec=15
"""
CONFIGURATION = """environment: test
http:
  port: 9877
tasks:
  stop_within: 5s
"""


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's Debian package."""
    project = tmp_path_factory.mktemp("package") / "project"
    copy_project(project)
    done = subprocess.run(
        [FLOWREXCTL, "build", "--agent", "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {one["kind"]: one["path"] for one in json.loads(done.stdout)["packages"]}
    return Path(made["deb"])


@pytest.fixture(scope="session")
def machine(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine, with the package installed as an administrator would."""
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        (machine.root / "agent.deb").write_bytes(package.read_bytes())
        machine.run("dpkg", "-i", "/agent.deb")
        probe = (ROOT / "tests/live/agent/probe.py").read_text()
        machine.write("/opt/flowrex-agent/bin/probe", probe, mode=0o755)
        machine.write("/srv/of-root/file", "of root", mode=0o600)
        (machine.root / "srv/of-root").chmod(0o700)
        yield machine


@pytest.fixture
def agent(machine: Machine) -> Iterator[Machine]:
    """The machine with a fresh agent running on it, one task more and shorter times."""
    machine.run("systemctl", "stop", "flowrex-agent")
    machine.run("systemctl", "reset-failed", "flowrex-agent", expect=None)
    machine.write(DROP_IN, SHORT)
    machine.write("/etc/flowrex/agent.yaml", CONFIGURATION)
    machine.run("rm", "-rf", "/var/lib/flowrex-agent", "/run/flowrex-agent")
    machine.run("journalctl", "--rotate")
    machine.run("journalctl", "--vacuum-time=1us")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "flowrex-agent")
    yield machine
    machine.run("systemctl", "stop", "flowrex-agent")


def status(machine: Machine) -> dict[str, Any]:
    """Return what the agent says of itself, once its tasks have begun."""
    said = machine.run("sh", "-c", f"{PROGRAM} status --json 2> /dev/null")
    document: dict[str, Any] = json.loads(said)
    return document


def pid(machine: Machine) -> int:
    """Return the agent's process."""
    return int(machine.unit("MainPID"))


def another_process(machine: Machine, than: int) -> None:
    """Wait until systemd has started the agent anew."""
    eventually(
        lambda: machine.unit("ActiveState") == "active" and pid(machine) not in (0, than),
        within=60,
        every=0.3,
        what="a new process of the agent",
    )
