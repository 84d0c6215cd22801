"""A node's agent as far as an operator sees it: it answers what is asked, as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flowrex import keys
from flowrex.errors import ServerUnreachable
from flowrex.node_requests import Answer, Request, State, parse_request
from flowrex.testing.consul import FakeConsul

AT = "2026-03-01T12:00:00+00:00"
KINDS = ("backup", "list", "show", "verify", "drill", "restore", "hold", "release")

Work = Callable[[Request], tuple[State, str, Mapping[str, Any]]]


def publish(
    consul: FakeConsul,
    node: str = "n1",
    *,
    environment: str = "dev",
    state: str = "running",
    does: tuple[str, ...] = KINDS,
) -> None:
    """Let an agent tell of itself."""
    document = {
        "environment": environment,
        "state": state,
        "at": AT,
        "tasks": {"requests": {"does": list(does)}},
    }
    consul.kv_put(keys.agent(node), json.dumps(document))


@contextmanager
def answering(consul: FakeConsul, work: Work, node: str = "n1") -> Iterator[list[Request]]:
    """Let the agent of a node answer for the length of a block.

    Args:
        consul: where requests and answers are.
        work: returns how a request ends.
        node: the agent's.

    Yields:
        What it was asked for.
    """
    asked: list[Request] = []
    over = threading.Event()
    prefix = keys.request(node, "")

    def follow() -> None:
        index = 0
        while not over.is_set():
            try:
                entries, index = consul.kv_wait_prefix(prefix, index, 0.02)
            except ServerUnreachable:
                over.wait(0.02)
                continue
            for entry in entries:
                request = parse_request(entry.key, entry.value)
                key = keys.answer(node, request.id)
                taken = Answer(request.id, "accepted", AT, "taken")
                if not consul.kv_put(key, taken.encode(), cas=0):
                    continue
                asked.append(request)
                state, message, result = work(request)
                consul.kv_put(key, Answer(request.id, state, AT, message, result).encode())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()
