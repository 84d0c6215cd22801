"""systemd is told by datagrams, on a socket with a path or an abstract one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.systemd.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What systemd would name in NOTIFY_SOCKET, and the socket behind it."""
    path = str(tmp_path / "notify")
    named, bound = (path, path)
    if request.param == "abstract":
        name = f"flowrex-test-{os.getpid()}-{time.monotonic_ns()}"
        named, bound = f"@{name}", f"\0{name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(bound)
        receiver.settimeout(1)
        yield named, receiver


def heard(receiver: socket.socket) -> list[str]:
    return receiver.recv(4096).decode().split("\n")


def test_ready_and_status_go_in_one_message(listener: tuple[str, socket.socket]) -> None:
    named, receiver = listener
    Notifier({"NOTIFY_SOCKET": named}, 7).ready("2 tasks run")
    assert heard(receiver) == ["READY=1", "STATUS=2 tasks run"]


def test_a_reload_says_when_it_began(listener: tuple[str, socket.socket]) -> None:
    named, receiver = listener
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier({"NOTIFY_SOCKET": named}, 7).reloading()
    first, when, _ = heard(receiver)
    assert first == "RELOADING=1"
    assert int(when.removeprefix("MONOTONIC_USEC=")) >= before


def test_a_status_is_one_line(listener: tuple[str, socket.socket]) -> None:
    named, receiver = listener
    Notifier({"NOTIFY_SOCKET": named}, 7).status("two\nlines\nREADY=1")
    assert heard(receiver) == ["STATUS=two lines READY=1"]


def test_stopping_and_the_watchdog(listener: tuple[str, socket.socket]) -> None:
    named, receiver = listener
    notifier = Notifier({"NOTIFY_SOCKET": named}, 7)
    notifier.alive()
    assert heard(receiver) == ["WATCHDOG=1"]
    notifier.stopping("stopping")
    assert heard(receiver)[0] == "STOPPING=1"


@pytest.mark.parametrize(
    ("variables", "period"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_or_it_is_not(variables: dict[str, str], period: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", **variables}, 7).watchdog_s == period


def test_without_systemd_nobody_is_told(tmp_path: Path) -> None:
    Notifier({}, 7).ready("alone")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 7).ready("it has just ended")
