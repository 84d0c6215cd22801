"""Asking the agent that runs on this machine, over its loopback port."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from agents.settings.model import Agent
from flowrex.errors import (
    ConfigurationError,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.files import write_atomic

_TIMEOUT_S = 5.0
_POLL_S = 0.1


def publish(settings: Agent, port: int) -> None:
    """Leave a note of where this process listens: its file may name another port by now.

    Args:
        settings: the settings in use.
        port: the port.

    Raises:
        ConfigurationError: the state folder can't be written.
    """
    note = _note(settings)
    try:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(note, json.dumps({"address": settings.http.address, "port": port}) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"the state folder can't be written: {error.strerror}",
            path=settings.state_dir,
            hint="It must be there and belong to the agent's user, as `flowrex-agent install` and "
            "the unit have it.",
        ) from error


def _find(settings: Agent) -> tuple[str, int]:
    try:
        said = json.loads(_note(settings).read_text(encoding="utf-8"))
        return str(said["address"]), int(said["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return settings.http.address, settings.http.port


def _note(settings: Agent) -> Path:
    return Path(settings.state_dir) / "endpoint.json"


def status(settings: Agent) -> dict[str, Any]:
    """Return the running agent's status document.

    Args:
        settings: its configuration.

    Raises:
        ServerUnreachable: no agent answers.
    """
    address, port = _find(settings)
    where = f"{address}:{port}"
    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerUnreachable(
            f"no agent answers on {where}: {error}",
            hint="Look at it: systemctl status flowrex-agent; journalctl -u flowrex-agent",
        ) from error
    finally:
        connection.close()
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ServerRefused(f"what answers on {where} is no flowrex-agent") from error
    if answer.status != 200 or not isinstance(document, dict) or "tasks" not in document:
        raise ServerRefused(f"what answers on {where} is no flowrex-agent")
    return document


def reload(settings: Agent, path: str, *, within_s: float) -> None:
    """Make the running agent read its configuration again, and wait for what it says.

    Args:
        settings: its configuration.
        path: the configuration's file, for the message.
        within_s: seconds to wait.

    Raises:
        ConfigurationError: it refused the configuration.
        ServerUnreachable: no agent answers, or it takes too long.
    """
    before = status(settings)
    try:
        os.kill(int(before["pid"]), signal.SIGHUP)
    except PermissionError as error:
        raise PermissionRefused(
            "the agent is another user's", hint="Use: systemctl reload flowrex-agent"
        ) from error
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        now = status(settings)["configuration"]
        if now["attempts"] != before["configuration"]["attempts"]:
            if now["problem"]:
                raise ConfigurationError(
                    f"the agent refused its configuration, the one before stays in use: "
                    f"{now['problem']}",
                    hint="Put it right, then: systemctl reload flowrex-agent",
                )
            return
        time.sleep(_POLL_S)
    raise ServerUnreachable(f"the agent has not taken {path} within {within_s:.0f} s")
