"""The task `notify`: what waits is sent, tried again with back-off, and never lost silently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from agents.context import Context
from agents.notify.secrets import MAIL_PASSWORD, WEBHOOK_URL, find
from agents.notify.spool import Spool
from agents.notify.task import Notify, bell, channels
from flowrex.errors import ServerUnreachable
from flowrex.notify import mail, webhook
from flowrex.notify.message import Message
from flowrex.secret import Secret
from flowrex.testing.vault import FakeVault
from tests.unit.agents.requests.conftest import QuickClock, until


class Post:
    """Both channels, as a test wants them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.failing: dict[str, Exception] = {}
        self.tries = 0

    def webhook(self, message: Message, address: Secret, *, timeout_s: float) -> None:
        self._send("webhook", message)

    def mail(self, message: Message, *_: Any, node: str) -> None:
        self._send("mail", message)

    def _send(self, channel: str, message: Message) -> None:
        self.tries += 1
        if channel in self.failing:
            raise self.failing[channel]
        self.sent.append((channel, message.id))


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    post = Post()
    monkeypatch.setattr(webhook, "send", post.webhook)
    monkeypatch.setattr(mail, "send", post.mail)
    return post


@pytest.fixture
def here(context: Context, vault: FakeVault) -> Context:
    """Both channels on, with the webhook's address in Vault."""
    vault.secrets["flowrex/agent"]["notify_webhook_url"] = "https://chat.example/hook"
    notify = context.settings.notify
    notify = replace(
        notify,
        retry="10ms",  # type: ignore[arg-type]
        retry_max="20ms",  # type: ignore[arg-type]
        webhook=replace(notify.webhook, enabled=True),
        mail=replace(notify.mail, enabled=True),
    )
    settings = replace(context.settings, notify=notify)
    token = vault.log_in({"role_id": "agent-id", "secret_id": "agent-secret"})["client_token"]
    logged_in = cast(Any, vault.client(Secret(token)))
    return replace(context, settings=settings, clock=QuickClock(), vault=lambda: logged_in)


def put(context: Context, name: str) -> None:
    message = Message(name, "halt", "text", context.clock.now().isoformat())
    Spool(context.state("notify")).put(message, channels(context.settings.notify))
    for channel in channels(context.settings.notify):
        context.wake.ring(bell(channel))


@asynccontextmanager
async def life(context: Context) -> AsyncIterator[Notify]:
    from contextlib import nullcontext

    class Beat:
        def __call__(self) -> None: ...

        def allow(self, seconds: float) -> Any:
            return nullcontext()

    task = Notify(replace(context, wake=context.wake))
    running = asyncio.create_task(task.run(cast(Any, Beat())))
    try:
        yield task
        assert not running.done(), running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def quiet(task: Notify) -> Callable[[], bool]:
    return lambda: task.status()["waiting"] == 0


@pytest.fixture(autouse=True)
def real_sleeps(here: Context) -> None:
    """Bells wait on the context's clock, whose waits are short."""
    here.wake.clock = here.clock


async def test_a_message_is_sent_once_by_each_channel(here: Context, post: Post) -> None:
    async with life(here) as task:
        put(here, "a")
        await until(lambda: len(post.sent) == 2)
        put(here, "a")
        await asyncio.sleep(0.05)
        await until(quiet(task))
    assert sorted(post.sent) == [("mail", "a"), ("webhook", "a")]


async def test_what_waited_over_a_restart_is_sent(here: Context, post: Post) -> None:
    put(here, "a")
    post.failing = dict.fromkeys(("mail", "webhook"), ServerUnreachable("away"))
    async with life(here):
        await until(lambda: post.tries >= 2)
    post.failing = {}
    async with life(here) as task:
        await until(lambda: len(post.sent) == 2)
        await until(quiet(task))


async def test_one_channel_that_fails_keeps_the_other_from_nothing(
    here: Context, post: Post
) -> None:
    post.failing = {"mail": ServerUnreachable("the mail server is away")}
    async with life(here) as task:
        put(here, "a")
        await until(lambda: post.sent == [("webhook", "a")])
        await until(lambda: task.status()["problem"] == "mail: the mail server is away")
        put(here, "b")
        await until(lambda: ("webhook", "b") in post.sent)
        post.failing = {}
        await until(lambda: len(post.sent) == 4)
        await until(lambda: task.status()["problem"] == "")


async def test_what_can_not_be_sent_in_time_is_put_aside_and_its_words_are_logged(
    here: Context, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.failing = dict.fromkeys(("mail", "webhook"), ServerUnreachable("away"))
    put(here, "a")
    cast(QuickClock, here.clock).ahead = timedelta(hours=25)
    async with life(here):
        await until(lambda: not list(Spool(here.state("notify")).waiting()))
    given_up = [r for r in caplog.records if "given up" in r.message]
    assert len(given_up) == 2
    assert vars(given_up[0])["subject"] == "halt"


async def test_a_channel_without_its_secret_waits_and_says_so(
    here: Context, post: Post, vault: FakeVault
) -> None:
    del vault.secrets["flowrex/agent"]["notify_webhook_url"]
    async with life(here) as task:
        put(here, "a")
        await until(lambda: "no credential notify-webhook-url" in task.status()["problem"])
        vault.secrets["flowrex/agent"]["notify_webhook_url"] = "https://chat.example/hook"
        await until(lambda: ("webhook", "a") in post.sent)


def counted(task: Notify) -> dict[tuple[str, ...], float]:
    return {(m.name, *s.labels.values()): s.value for m in task.metrics() for s in m.samples}


async def test_its_metrics_count(here: Context, post: Post) -> None:
    sent = ("flowrex_agent_notifications", "mail", "sent")
    async with life(here) as task:
        put(here, "a")
        await until(lambda: counted(task).get(sent) == 1)
        await until(lambda: counted(task)["flowrex_agent_notifications_waiting",] == 0)


def test_a_secret_is_a_file_before_it_is_in_vault(here: Context, tmp_path: Any) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(folder)}
    assert find(here, WEBHOOK_URL, environ) == Secret("https://chat.example/hook")
    (folder / WEBHOOK_URL).write_text("https://chat.example/other\n")
    assert find(here, WEBHOOK_URL, environ) == Secret("https://chat.example/other")
    assert find(here, MAIL_PASSWORD, environ) is None
