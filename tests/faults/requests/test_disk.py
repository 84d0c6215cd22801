"""A full disk under the requests' journal, on a file system of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agents.context import Context
from agents.requests.handler import Handling, Progress
from flowrex.node_requests import Request
from flowrex.testing.consul import FakeConsul
from tests.small_disk import small_disk
from tests.unit.agents.requests.conftest import Desk, until

pytestmark = pytest.mark.ci


async def test_what_runs_goes_on_and_what_comes_is_answered(tmp_path: Path) -> None:
    go, done = threading.Event(), list[str]()

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        while request.id == "1" and not go.wait(0.005):
            progress("half of it")
        done.append(request.id)
        return {}

    handlers = {"backup": Handling(handle), "restore": Handling(handle)}
    with small_disk(tmp_path / "disk", kib=128) as disk:
        desk = Desk(disk, FakeConsul())
        async with desk.life(handlers) as task:
            desk.ask("restore")
            await until(lambda: [one["id"] for one in task.status()["running"]] == ["1"])
            ballast = disk / "ballast"
            with pytest.raises(OSError, match="No space"):
                ballast.write_bytes(b"x" * 1_000_000)
            desk.ask(name="2")
            turned_away = await desk.ended("2")
            # Its end can't be written down either; the answer in Consul says it.
            go.set()
            assert (await desk.ended()).state == "done"
            ballast.unlink()
            desk.ask(name="3")
            assert (await desk.ended("3")).state == "done"
        # What a later life finds of them is not done again.
        async with desk.life(handlers):
            desk.ask(name="4")
            await desk.ended("4")
        assert {path.name for path in (disk / "requests").iterdir()} == {
            "1.json",
            "3.json",
            "4.json",
        }
    assert turned_away.state == "failed"
    assert "No space left on device" in turned_away.message
    assert done == ["1", "3", "4"]
