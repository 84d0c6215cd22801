"""Messages wait on disk, once for each channel, until they are sent or given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.notify.spool import Spool
from flowrex.notify.message import Message

ONE = Message("emergency-5-halt", "halt", "New risk is refused.", "2026-03-01T12:00:00+00:00")
TWO = Message("emergency-9-off", "off", "It is over.", "2026-03-01T12:05:00+00:00")
BOTH = ("webhook", "mail")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "notify")


def waiting(spool: Spool) -> list[tuple[str, str]]:
    return [(one.message.id, one.channel) for one in spool.waiting()]


def test_the_oldest_comes_first_whatever_its_channel(spool: Spool) -> None:
    spool.put(TWO, ("mail",))
    spool.put(ONE, BOTH)
    assert waiting(spool) == [(ONE.id, "mail"), (ONE.id, "webhook"), (TWO.id, "mail")]


def test_another_process_finds_what_waits(spool: Spool, tmp_path: Path) -> None:
    spool.put(ONE, BOTH)
    again = list(Spool(tmp_path / "notify").waiting())
    assert [one.message for one in again] == [ONE, ONE]


def test_what_waits_or_was_sent_is_not_written_again(spool: Spool) -> None:
    spool.put(ONE, ("mail",))
    one = next(spool.waiting())
    spool.failed(one, "refused", 99.0)
    spool.put(ONE, ("mail",))
    assert next(spool.waiting()).attempts == 1
    spool.sent(one)
    spool.put(ONE, BOTH)
    assert waiting(spool) == [(ONE.id, "webhook")]


def test_a_try_that_failed_says_why_and_when_the_next_is(spool: Spool) -> None:
    spool.put(ONE, ("mail",))
    spool.failed(next(spool.waiting()), "refused", 99.0)
    again = next(spool.waiting())
    assert (again.attempts, again.problem, again.next_at) == (1, "refused", 99.0)


def test_what_is_given_up_is_put_aside_and_not_deleted(spool: Spool, tmp_path: Path) -> None:
    spool.put(ONE, ("mail",))
    spool.give_up(next(spool.waiting()))
    assert waiting(spool) == []
    aside = list((tmp_path / "notify" / "given-up").iterdir())
    assert [path.name for path in aside] == ["mail-emergency-5-halt.json"]


@pytest.mark.parametrize("content", [b"", b"\x00", b"[]", b'{"message": {}}', b'{"x": 1}'])
def test_what_can_not_be_read_is_put_aside(spool: Spool, tmp_path: Path, content: bytes) -> None:
    spool.put(ONE, ("mail",))
    path = tmp_path / "notify" / "waiting" / "mail" / "bad.json"
    path.write_bytes(content)
    assert waiting(spool) == [(ONE.id, "mail")]
    assert not path.exists()
    assert (tmp_path / "notify" / "given-up" / "mail-bad.json").read_bytes() == content


def test_an_id_can_not_leave_the_folder(spool: Spool, tmp_path: Path) -> None:
    spool.put(Message("../../x", "s", "t", "2026-03-01T12:00:00+00:00"), ("mail",))
    assert [path.name for path in (tmp_path / "notify/waiting/mail").iterdir()] == [
        ".._.._x.json"
    ] or waiting(spool)
    assert list(tmp_path.glob("*.json")) == []
