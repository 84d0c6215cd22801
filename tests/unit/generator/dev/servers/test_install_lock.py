"""One set-up at a time; a second waits and says for whom."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from generator.dev.servers import lock
from tests.unit.generator.dev.servers.machine import Heard


class Told(Heard):
    """A Progress that wakes a test when it is told something."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Event()

    def note(self, text: str) -> None:
        super().note(text)
        self.heard.set()


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    told = Told()

    with lock.hold(tmp_path / "lock", told):
        pass

    assert told.notes == []


def test_a_second_waits_says_who_holds_it_and_goes_on_when_it_is_free(tmp_path: Path) -> None:
    told = Told()
    order: list[str] = []

    def second() -> None:
        with lock.hold(tmp_path / "lock", told):
            order.append("second")

    with lock.hold(tmp_path / "lock", Told()):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.heard.wait(10)
        thread.join(timeout=0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join()

    assert order == ["first", "second"]
    assert f"process {os.getpid()}, since 20" in told.notes[0]


def test_a_holder_that_has_not_signed_yet_is_no_trouble(tmp_path: Path) -> None:
    told = Told()
    path = tmp_path / "lock"

    with lock.hold(path, Told()):
        path.write_text("")
        thread = threading.Thread(target=lambda: lock.hold(path, told).__enter__())
        thread.daemon = True
        thread.start()
        assert told.heard.wait(10)
    thread.join()

    assert "it has just begun" in told.notes[0]


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    told = Told()
    try:
        with lock.hold(tmp_path / "lock", told):
            raise ValueError
    except ValueError:
        pass

    with lock.hold(tmp_path / "lock", told):
        pass
    assert told.notes == []
