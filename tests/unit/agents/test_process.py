"""The process tells systemd what it does, and a reload touches only what changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import process, wiring
from agents.context import Context
from agents.endpoint import Answer, Endpoint
from agents.process import Process
from agents.settings import Agent, load
from agents.systemd.notify import Notifier
from agents.task import Beat
from flowrex.errors import ConfigurationError
from flowrex.testing.clock import FakeClock, settle


class Heard(Notifier):
    """Remembers the messages, without their status lines."""

    def __init__(self) -> None:
        super().__init__({}, 1)
        self.said: list[str] = []

    def _send(self, *assignments: str) -> None:
        first = assignments[0].split("=")[0]
        if first not in {"STATUS", "WATCHDOG"}:
            self.said.append(first)


class Worker:
    """A task that remembers the settings that it was made from."""

    stall_s = 1e9

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = value
        self.stopped = False

    async def run(self, beat: Beat) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped = True

    def status(self) -> dict[str, Any]:
        return {}

    def metrics(self) -> Iterator[Any]:
        return iter(())


class Rig:
    """A process with two parts: `region` depends on the section s3, `other` on nothing."""

    endpoint: Endpoint

    def __init__(self, folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "agent.yaml"
        self.folder = folder
        self.made: list[Worker] = []
        self.refuse = ""
        monkeypatch.setattr(
            wiring,
            "PARTS",
            (
                wiring.Part("region", ("s3",), self._region, lambda _: True),
                wiring.Part("other", (), self._other, lambda _: True),
            ),
        )
        self.write("")
        self.heard = Heard()
        self.process = Process(
            self.path,
            settings=load(self.path),
            clock=clock,
            notifier=self.heard,
            environ={"FLOWREX_AGENT_CREDENTIALS_DIR": str(folder)},
        )

    def page(self, path: str) -> Answer:
        return self.endpoint._answer(f"GET {path} HTTP/1.1".encode())[1]

    def write(self, text: str) -> None:
        self.path.write_text(
            f"state_dir: {self.folder / 'state'}\nvault:\n  enabled: false\n{text}"
        )

    def _region(self, context: Context) -> list[Any]:
        if context.settings.s3.region == self.refuse:
            raise ConfigurationError(f"there is no region {self.refuse}")
        self.made.append(Worker("region", context.settings.s3.region))
        return [self.made[-1]]

    def _other(self, context: Context) -> list[Any]:
        self.made.append(Worker("other", None))
        return [self.made[-1]]

    @property
    def running(self) -> list[tuple[str, object]]:
        return [(one.name, one.value) for one in self.made if not one.stopped]


@pytest.fixture
async def rig(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    listening: list[Endpoint] = []

    async def listens(self: Endpoint, address: str, port: int) -> int:
        listening.append(self)
        return port

    monkeypatch.setattr(Endpoint, "start", listens)
    rig = Rig(tmp_path, clock, monkeypatch)
    serving = asyncio.create_task(rig.process.serve())
    await settle()
    (rig.endpoint,) = listening
    yield rig
    rig.process.stop()
    await serving


async def test_ready_is_told_when_every_task_was_started(rig: Rig) -> None:
    assert rig.heard.said == ["READY"]
    assert rig.running == [("region", "eu-central-1"), ("other", None)]


async def test_a_reload_makes_anew_what_its_sections_touch_and_nothing_else(rig: Rig) -> None:
    other = rig.made[1]
    rig.write("s3:\n  region: eu-west-1\n")
    await rig.process.reload()
    assert rig.running == [("other", None), ("region", "eu-west-1")]
    assert rig.made[1] is other and not other.stopped
    assert rig.heard.said == ["READY", "RELOADING", "READY"]


async def test_a_reload_of_the_same_touches_nothing(rig: Rig) -> None:
    await rig.process.reload()
    assert len(rig.made) == 2
    assert rig.process.about.configuration.attempts == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("s3:\n  region: 7\n", "s3.region is 7"),
        ("s3:\n  region: eu-west-1\nhttp:\n  port: 1\n", "http.port can't change"),
        ("s3:\n  region: moon\n", "there is no region moon"),
    ],
)
async def test_a_refused_reload_touches_nothing_and_is_told(
    rig: Rig, text: str, problem: str
) -> None:
    rig.refuse = "moon"
    rig.write(text)
    await rig.process.reload()
    assert rig.running == [("region", "eu-central-1"), ("other", None)]
    assert problem in rig.process.about.configuration.problem
    assert rig.heard.said == ["READY", "RELOADING", "READY"]
    assert rig.process.document()["check"]["status"] == "warning"


async def test_a_reload_that_meets_a_bug_keeps_the_old_configuration_and_is_ready(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deep(path: Path) -> Agent:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(process, "load", deep)
    await rig.process.reload()
    assert rig.running == [("region", "eu-central-1"), ("other", None)]
    assert "RecursionError: maximum" in rig.process.about.configuration.problem
    assert rig.heard.said == ["READY", "RELOADING", "READY"]
    monkeypatch.undo()


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: " + "[" * 100_000 + "\n"])
async def test_a_reload_of_yaml_without_an_end_is_refused(rig: Rig, text: str) -> None:
    line = rig.path.read_text().count("\n") + 1
    rig.write(text)
    await rig.process.reload()
    assert rig.process.about.configuration.problem.startswith(f"{rig.path}:{line}: ")
    assert rig.heard.said == ["READY", "RELOADING", "READY"]


async def test_a_good_reload_takes_a_refusal_back(rig: Rig) -> None:
    rig.write("nonsense: 1\n")
    await rig.process.reload()
    rig.write("")
    await rig.process.reload()
    assert rig.process.about.configuration.problem == ""


async def test_who_watches_in_systemds_place_is_told_what_is_stuck(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.page("/live").status == 200
    monkeypatch.setattr(Worker, "stall_s", -1.0)
    answer = rig.page("/live")
    assert answer.status == 503
    assert "region" in json.loads(answer.body)["stuck"]


async def test_the_end_is_told_and_every_task_has_ended(rig: Rig) -> None:
    rig.process.stop()
    while rig.heard.said[-1] != "STOPPING" or rig.running:
        await asyncio.sleep(0)
    assert rig.running == []
