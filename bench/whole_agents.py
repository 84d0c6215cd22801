"""Many node agents on this machine, each a whole `flowrex-agent run` with its own node's name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import yaml

from flowrex import keys
from flowrex.acknowledgement import Acknowledgement, parse_acknowledgement
from flowrex.consul import ConsulClient
from tests.contract import own

_NAME = "bench-"


@contextmanager
def running_agents(count: int, folder: Path, consul: str, token: str) -> Iterator[None]:
    """Run agents that follow the kill switch, and nothing else, until the end of the block.

    Args:
        count: how many.
        folder: for their configuration, state and logs.
        consul: the address of Consul's API, whose nodes they pretend to be.
        token: Consul's token that each of them is given.
    """
    with ExitStack() as processes:
        for number, port in enumerate(own.free_ports(count)):
            home = folder / f"agent-{number}"
            (home / "credentials").mkdir(parents=True, mode=0o700)
            secret = home / "credentials" / "consul-token"
            secret.touch(0o600)
            secret.write_text(token)
            settings = home / "agent.yaml"
            settings.write_text(yaml.safe_dump(_settings(home, number, port, consul)))
            command = (sys.executable, "-m", "agents.main", "run", "--config", settings)
            processes.enter_context(own.running(command, home))
        yield


def acknowledged(client: ConsulClient, index: int) -> list[float]:
    """Return when each agent here took up the key's value of `index`, POSIX seconds."""
    found = client.kv_list(f"{keys.ACKNOWLEDGEMENTS}agent/{_NAME}")
    words = [parse_acknowledgement(one.key, one.value) for one in found]
    return [_moment(word) for word in words if word.index == index]


def _moment(word: Acknowledgement) -> float:
    return datetime.fromisoformat(word.at).timestamp()


def _settings(home: Path, number: int, port: int, consul: str) -> dict[str, object]:
    return {
        "node": f"{_NAME}{number:02}",
        "environment": "dev",
        "log_level": "warning",
        "state_dir": str(home / "state"),
        "credentials_dir": str(home / "credentials"),
        "consul": {"address": consul},
        "vault": {"enabled": False},
        "http": {"port": port},
        "emergency": {"backup": False},
        "audit": {"enabled": False},
    }
