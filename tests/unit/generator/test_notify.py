"""Whom the deployer tells how a change ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import requests_mock

from flowrex.errors import ServerUnreachable
from flowrex.notify.settings import Mail, Webhook
from flowrex.secret import Secret
from generator.environment.telling import Notify as Settings
from generator.notify import Notifier, message_of
from generator.watch import Event
from tests.unit.generator.rolling import JumpingClock
from tests.unit.generator.test_hooks import RECORD

URL = "https://chat.example/hook/a-secret-part"
DONE = replace(
    RECORD,
    outcome="done",
    ended="2026-03-01T12:05:00+00:00",
    backup="pre_deploy_20260301T120000Z",
    jobs={
        "backend": {"result": "deployed", "version": 4},
        "nginx": {"result": "unchanged", "version": 1},
    },
)


def settings(*, webhook: bool = True, mail: bool = False) -> Settings:
    return Settings(
        give_up="30s",  # type: ignore[arg-type]
        webhook=Webhook(enabled=webhook, timeout="5s"),  # type: ignore[arg-type]
        mail=Mail(
            enabled=mail,
            host="localhost",
            port=1,
            tls="none",
            ca_file=None,
            user=None,
            sender="a@example.com",
            recipients=("b@example.com",),
            timeout="1s",  # type: ignore[arg-type]
        ),
    )


class Desk:
    """Somebody who listens to what is told."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.clock = JumpingClock()

    def send(
        self, chosen: Settings, secrets: Mapping[str, Secret] | Exception | None = None
    ) -> None:
        def read() -> Mapping[str, Secret]:
            if isinstance(secrets, Exception):
                raise secrets
            return {"webhook_url": Secret(URL)} if secrets is None else secrets

        notifier = Notifier(chosen, read, "desk", self.told.append, self.clock)
        notifier.begin(message_of(DONE))()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_message_says_who_did_what_and_where_to_look() -> None:
    message = message_of(DONE)
    assert message.subject == "[prod] run of 1.4.0 is done"
    assert message.text.splitlines() == [
        "By kim@desk: case 17",
        "backend: deployed, version 4",
        "Backup from before: pre_deploy_20260301T120000Z",
        f"See it: flowrexctl releases show prod {RECORD.id}",
    ]
    assert message.at == DONE.ended


def test_a_canary_that_waits_names_the_command() -> None:
    message = message_of(replace(DONE, outcome="canary"))
    assert "flowrexctl promote prod" in message.text


def test_a_failure_says_why() -> None:
    message = message_of(replace(DONE, outcome="failed", message="the check ready fails"))
    assert "FAILED" in message.subject
    assert "the check ready fails" in message.text


def test_nobody_is_told_where_no_channel_is_on(
    desk: Desk, requests_mock: requests_mock.Mocker
) -> None:
    desk.send(settings(webhook=False))
    assert desk.told == []
    assert not requests_mock.called


def test_a_chat_that_is_away_is_tried_again(
    desk: Desk, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.post(URL, [{"status_code": 503}, {"status_code": 503}, {"text": "ok"}])
    desk.send(settings())
    assert requests_mock.call_count == 3
    assert [event.what for event in desk.told] == ["notified"]


def test_one_that_stays_away_is_given_up_and_the_address_is_in_no_word(
    desk: Desk, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.post(URL, status_code=503)
    desk.send(settings())
    assert [event.what for event in desk.told] == ["notify-failed"]
    assert "chat.example answers 503" in desk.told[0].text
    assert "a-secret-part" not in desk.told[0].text
    assert desk.clock.now() < 60


@pytest.mark.parametrize("after", ["0", "00"])
def test_one_that_asks_for_no_pause_is_not_asked_without_one(
    desk: Desk, requests_mock: requests_mock.Mocker, after: str
) -> None:
    requests_mock.post(URL, status_code=429, headers={"Retry-After": after})
    desk.send(settings())
    assert [event.what for event in desk.told] == ["notify-failed"]
    assert requests_mock.call_count < 6


def test_a_vault_without_the_address_is_told_and_not_tried_again(desk: Desk) -> None:
    desk.send(settings(), {})
    assert [event.text for event in desk.told] == [
        "nobody was told by webhook: Vault has no webhook_url in flowrex/deployer"
    ]


def test_a_vault_that_is_away_is_no_failure_of_the_change(desk: Desk) -> None:
    desk.send(settings(), ServerUnreachable("Vault does not answer"))
    assert [event.what for event in desk.told] == ["notify-failed"]


def test_one_channel_does_not_keep_the_other_waiting(
    desk: Desk, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.post(URL, text="ok")
    desk.send(settings(mail=True))
    assert sorted(event.what for event in desk.told) == ["notified", "notify-failed"]
