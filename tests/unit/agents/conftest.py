"""Surroundings for the agent's tasks: settings, a clock that stands still, servers in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.context import Context
from agents.settings import Agent, load
from agents.wake import Wake
from flowrex.testing.clock import FakeClock
from flowrex.testing.consul import FakeConsul
from flowrex.testing.s3 import FakeS3
from flowrex.testing.vault import FakeVault

Configured = Callable[[str], Agent]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that a test moves."""
    return FakeClock()


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what would run in a thread run at once, so that a test knows when it is done."""

    async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


@pytest.fixture
def consul() -> FakeConsul:
    """Consul."""
    return FakeConsul()


@pytest.fixture
def vault() -> FakeVault:
    """Vault, with the agent's role and secret."""
    vault = FakeVault(approles={"agent-id": "agent-secret"})
    vault.secrets["flowrex/agent"] = {
        "consul_token": "consul-1",
        "s3_access_key": "access-1",
        "s3_secret_key": "secret-1",
    }
    return vault


@pytest.fixture
def s3() -> FakeS3:
    """The object store."""
    return FakeS3()


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Return the settings of a configuration file with some text."""

    def make(text: str) -> Agent:
        path = tmp_path / "agent.yaml"
        path.write_text(f"state_dir: {tmp_path / 'state'}\n{text}")
        return load(path)

    return make


@pytest.fixture
def context(
    configured: Configured, clock: FakeClock, consul: FakeConsul, vault: FakeVault, s3: FakeS3
) -> Context:
    """The surroundings of a task, with the settings of the reference."""
    return Context(
        settings=configured(""),
        node="node-1",
        consul=lambda: consul,  # type: ignore[arg-type, return-value]
        vault=lambda: vault.client(),  # type: ignore[arg-type, return-value]
        s3=lambda: s3,  # type: ignore[arg-type, return-value]
        clock=clock,
        wake=Wake(clock),
    )
