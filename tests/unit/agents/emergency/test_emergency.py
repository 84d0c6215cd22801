"""The task: it acknowledges, does each step once, and remembers over restarts."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from agents.backoff import Backoff
from agents.context import Context
from agents.emergency.steps import Backup
from agents.emergency.task import Emergency
from agents.notify.spool import Spool
from agents.wake import AUDIT
from flowrex import keys
from flowrex.acknowledgement import parse_acknowledgement
from flowrex.errors import LockHeld, ServerUnreachable
from flowrex.testing.consul import FakeConsul
from tests.unit.agents.conftest import Configured
from tests.unit.agents.requests.conftest import QuickClock, until

HALT = '{"level": "halt", "reason": "orders doubled", "by": "ann", "at": "2026-03-01T12:00:00Z"}'
FLATTEN = '{"level": "flatten", "reason": "worse", "by": "ann", "at": "2026-03-01T12:01:00Z"}'
OFF = '{"level": "off", "reason": "replaced", "by": "ann", "at": "2026-03-01T12:02:00Z"}'


class Node:
    """A node with hooks and backups, whose agent lives and dies."""

    def __init__(self, context: Context, consul: FakeConsul, folder: Path) -> None:
        self.consul = consul
        self.folder = folder
        self.hooks = folder / "emergency.d"
        self.hooks.mkdir(mode=0o755)
        self.hook("10-note", f'echo "$FLOWREX_LEVEL $FLOWREX_ATTEMPT" >> {folder}/ran')
        self.backups: list[str] = []
        emergency = replace(
            context.settings.emergency,
            hooks=replace(context.settings.emergency.hooks, dir=str(self.hooks)),
        )
        notify = replace(
            context.settings.notify,
            webhook=replace(context.settings.notify.webhook, enabled=True),
        )
        settings = replace(context.settings, emergency=emergency, notify=notify)
        self.context = replace(context, settings=settings, clock=QuickClock())
        self.beats = 0

    def hook(self, name: str, script: str) -> None:
        path = self.hooks / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def back_up(self, reason: str, since: str) -> str:
        self.backups.append(reason)
        return f"backup-{len(self.backups)}"

    def put(self, text: str) -> int:
        self.consul.kv_put(keys.EMERGENCY, text)
        entry = self.consul.kv_get(keys.EMERGENCY)
        assert entry is not None
        return entry.modify_index

    @asynccontextmanager
    async def life(self, backup: Backup | None = None) -> AsyncIterator[Emergency]:
        task = Emergency(
            self.context, backup or self.back_up, backoff=Backoff(0.001, 0.001, lambda: 1.0)
        )

        def beat() -> None:
            self.beats += 1

        running = asyncio.create_task(task.run(cast(Any, beat)))
        try:
            yield task
            assert not running.done(), running
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    @property
    def ran(self) -> list[str]:
        file = self.folder / "ran"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def told(self) -> list[str]:
        return [one.message.id for one in Spool(self.context.state("notify")).waiting()]

    @property
    def acknowledged(self) -> Any:
        entry = self.consul.kv_get(keys.acknowledgement("agent", "node-1"))
        return parse_acknowledgement(entry.key, entry.value) if entry else None

    def settled(self, task: Emergency, index: int | None = None) -> bool:
        """Tell whether every step has ended, those of the change of that index too."""
        steps = task.status()["steps"]
        known = index is None or any(s["change"].startswith(f"{index}-") for s in steps)
        ended = all(s["state"] in {"done", "failed", "cut"} for s in steps)
        return bool(steps) and known and ended


class Rings:
    """A bell that tells who rings it."""

    def __init__(self, ring: Callable[..., None]) -> None:
        self.ring = ring


@pytest.fixture
def node(context: Context, consul: FakeConsul, tmp_path: Path) -> Node:
    return Node(context, consul, tmp_path)


async def test_it_acknowledges_with_its_name_index_level_and_latency(node: Node) -> None:
    async with node.life():
        index = node.put(HALT)
        said = await until(lambda: (a := node.acknowledged) and a.index == index and a)
    assert (said.level, said.node) == ("halt", "node-1")
    assert said.latency_ms is not None


async def test_every_step_is_done_once(node: Node) -> None:
    async with node.life() as task:
        index = node.put(HALT)
        await until(lambda: node.settled(task))
    assert node.ran == ["halt 1"]
    assert node.told == [f"emergency-{index}-halt"]
    assert node.backups == [f"emergency {index}-halt"]
    assert await node.context.wake.wait(AUDIT, 0.001) == f"emergency {index}-halt"
    details = {s["kind"]: s["detail"] for s in task.status()["steps"]}
    assert details == {
        "audit": "the audit log's tail is shipped at once",
        "notify": "handed to webhook",
        "hook": "ended with 0",
        "backup": "backup-1",
    }
    assert task.status()["problem"] == ""


async def test_a_restart_forgets_nothing_and_repeats_nothing(node: Node) -> None:
    node.put(HALT)
    for _ in range(3):
        async with node.life() as task:
            await until(lambda: node.settled(task) and task.status()["acknowledged"])
            await asyncio.sleep(0.05)
            assert task.status()["level"] == "halt"
    assert node.ran == ["halt 1"]
    assert len(node.backups) == 1
    assert len(node.told) == 1


async def test_a_restart_without_consul_is_still_in_the_emergency(node: Node) -> None:
    node.put(HALT)
    async with node.life() as task:
        await until(lambda: node.settled(task))
    node.consul.down = True
    async with node.life() as task:
        await asyncio.sleep(0.05)
        assert task.status()["level"] == "halt"
        assert node.ran == ["halt 1"]


async def test_the_steps_do_not_wait_for_consul(node: Node) -> None:
    node.hook("05-wait", f"while [ ! -e {node.folder}/go ]; do sleep 0.01; done")
    async with node.life() as task:
        node.put(HALT)
        await until(lambda: node.told)
        node.consul.down = True
        (node.folder / "go").touch()
        await until(lambda: node.settled(task))
    assert node.ran == ["halt 1"]


async def test_a_hook_that_hangs_holds_up_neither_what_is_told_nor_what_is_shipped(
    node: Node,
) -> None:
    node.hook("05-hangs", f"while [ ! -e {node.folder}/go ]; do sleep 0.01; done")
    rung: list[str] = []

    def ring(bell: str, reason: str = "") -> None:
        if bell == AUDIT:
            rung.append(reason)

    node.context = replace(node.context, wake=cast(Any, Rings(ring)))
    async with node.life() as task:
        first = node.put(HALT)
        await until(lambda: node.told and node.backups)
        second = node.put(FLATTEN)
        await until(lambda: len(node.told) == 2)
        await until(lambda: len(rung) == 2)
        assert rung == [f"emergency {first}-halt", f"emergency {second}-flatten"]
        assert node.ran == [], "hooks are run one at a time, in their order"
        said = {(s["change"], s["kind"], s["name"]): s["state"] for s in task.status()["steps"]}
        assert said[f"{first}-halt", "hook", "05-hangs"] == "begun"
        assert said[f"{first}-halt", "hook", "10-note"] == "due"
    # A restart in the middle repeats nothing.
    async with node.life() as task:
        (node.folder / "go").touch()
        await until(lambda: node.settled(task, second))
    assert node.ran == ["halt 1", "flatten 1"]
    assert (len(node.told), len(node.backups), len(rung)) == (2, 1, 2)


async def test_a_change_and_the_end_are_steps_of_their_own_with_one_backup(node: Node) -> None:
    async with node.life() as task:
        for text in (HALT, FLATTEN, OFF):
            index = node.put(text)
            await until(lambda i=index: node.settled(task, i))  # type: ignore[misc]
    assert node.ran == ["halt 1", "flatten 1", "off 1"]
    assert len(node.told) == 3
    assert len(node.backups) == 1


async def test_the_next_emergency_has_its_own_backup(node: Node) -> None:
    async with node.life() as task:
        for text in (HALT, OFF, FLATTEN):
            index = node.put(text)
            await until(lambda i=index: node.settled(task, i))  # type: ignore[misc]
    assert len(node.backups) == 2


async def test_a_slow_backup_holds_nothing_up(node: Node) -> None:
    go = threading.Event()

    def slow(reason: str, since: str) -> str:
        go.wait(20)
        return "late"

    async with node.life(slow) as task:
        node.put(HALT)
        await until(lambda: node.ran == ["halt 1"])
        node.put(OFF)
        await until(lambda: node.ran == ["halt 1", "off 1"])
        go.set()
        await until(lambda: node.settled(task))


async def test_a_backup_that_fails_is_told_and_tried_for_as_long_as_the_emergency_lasts(
    node: Node,
) -> None:
    away = True

    def failing(reason: str, since: str) -> str:
        if away:
            raise ServerUnreachable("the store is away")
        return "late"

    async with node.life(failing) as task:
        node.put(HALT)
        await until(lambda: task.status()["problem"] == "backup: the store is away")
        await until(lambda: max(s["attempts"] for s in task.status()["steps"]) > 8)
        away = False
        await until(lambda: node.settled(task))
        assert task.status()["problem"] == ""


async def test_a_backup_that_fails_is_given_up_some_time_after_the_end(node: Node) -> None:
    def failing(reason: str, since: str) -> str:
        raise ServerUnreachable("the store is away")

    async with node.life(failing) as task:
        node.put(HALT)
        await until(lambda: task.status()["problem"] == "backup: the store is away")
        index = node.put(OFF)
        await until(lambda: node.settled(task, index))
        assert task.status()["problem"] == "backup: the store is away"


async def test_a_backup_waits_for_who_holds_its_lock_and_is_never_given_up(node: Node) -> None:
    tries: list[str] = []

    def held(reason: str, since: str) -> str:
        tries.append(since)
        if len(tries) < 8:
            raise LockHeld("node-2 works on flowrex")
        return "late"

    async with node.life(held) as task:
        node.put(HALT)
        await until(lambda: node.settled(task))
        (backup,) = [s for s in task.status()["steps"] if s["kind"] == "backup"]
    assert (backup["state"], backup["detail"], backup["attempts"]) == ("done", "late", 8)
    assert len(set(tries)) == 1, "since the emergency was seen"


async def test_a_hook_that_fails_is_told_and_the_rest_is_done(node: Node) -> None:
    node.hook("05-broken", "exit 3")
    async with node.life() as task:
        node.put(HALT)
        await until(lambda: node.settled(task))
        assert task.status()["problem"] == "hook 05-broken: ended with 3"
    assert node.ran == ["halt 1"]


@pytest.mark.parametrize("text", ["on", "ON", "{nonsense", '{"level": 3}', ""])
async def test_whatever_is_not_off_is_an_emergency(node: Node, text: str) -> None:
    async with node.life() as task:
        node.put(text)
        await until(lambda: node.settled(task))
        assert task.status()["level"] == "halt"
    assert node.ran == ["halt 1"]


async def test_a_key_that_was_never_written_is_acknowledged_once(node: Node) -> None:
    async with node.life() as task:
        await until(lambda: node.acknowledged)
        first = node.consul.kv_get(keys.acknowledgement("agent", "node-1"))
        for number in range(20):
            node.consul.kv_put("elsewhere", str(number))
            await asyncio.sleep(0.005)
        assert node.consul.kv_get(keys.acknowledgement("agent", "node-1")) == first
        assert task.status()["steps"] == []


async def test_a_drill_is_acknowledged_and_starts_nothing(node: Node) -> None:
    async with node.life() as task:
        node.put(OFF)
        index = node.put(OFF.replace("replaced", "drill"))
        await until(lambda: (a := node.acknowledged) and a.index == index)
        await asyncio.sleep(0.02)
        assert task.status()["steps"] == []
    assert node.ran == []


async def test_an_acknowledgement_that_could_not_be_written_is_written_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = node.consul.kv_put
    refuse = True

    def kv_put(key: str, value: Any, **more: Any) -> bool:
        if refuse and key.startswith(keys.ACKNOWLEDGEMENTS):
            raise ServerUnreachable("no leader")
        return put(key, value, **more)

    monkeypatch.setattr(node.consul, "kv_put", kv_put)
    async with node.life() as task:
        index = node.put(HALT)
        await until(lambda: "no leader" in task.status()["problem"])
        refuse = False
        node.consul.kv_put(keys.EMERGENCY, HALT + " ")
        await until(lambda: (a := node.acknowledged) and a.index >= index)


async def test_a_journal_that_can_not_be_read_begins_anew(node: Node) -> None:
    node.put(HALT)
    async with node.life() as task:
        await until(lambda: node.settled(task))
    journal = node.context.state("emergency") / "episode.json"
    journal.write_text("{")
    async with node.life() as task:
        await until(lambda: node.settled(task))
    assert node.ran == ["halt 1", "halt 1"]
    assert journal.with_suffix(".unreadable").exists()
    assert len(node.told) == 1, "the message waits already"


async def test_a_full_disk_holds_up_no_step(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agents.emergency.journal.write_atomic", full)
    async with node.life() as task:
        node.put(HALT)
        await until(lambda: node.settled(task))
    assert node.ran == ["halt 1"]
    assert len(node.backups) == 1


async def test_its_metrics_tell_the_level_and_the_steps(node: Node) -> None:
    async with node.life() as task:
        node.put(FLATTEN)
        await until(lambda: node.settled(task))
        values = {m.name: m.samples[0].value for m in task.metrics()}
    assert values["flowrex_agent_emergency_level"] == 3
    assert values["flowrex_agent_emergency_steps_open"] == 0
    assert values["flowrex_agent_emergency_steps_failed"] == 0


async def test_the_journal_is_json_that_a_person_can_read(node: Node) -> None:
    async with node.life() as task:
        node.put(HALT)
        await until(lambda: node.settled(task))
    document = json.loads((node.context.state("emergency") / "episode.json").read_text())
    assert document["changes"][0]["reason"] == "orders doubled"


def test_the_reference_has_the_hooks_folder(configured: Configured) -> None:
    assert configured("").emergency.hooks.dir == "/etc/flowrex/emergency.d"
