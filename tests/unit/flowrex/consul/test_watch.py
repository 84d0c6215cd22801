from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flowrex.consul.model import KVEntry
from flowrex.consul.watch import KeyWatch, Missed, Reading
from flowrex.errors import ServerUnreachable
from flowrex.testing.consul import FakeConsul

KEY = "flowrex/emergency"


def entry(value: bytes, index: int) -> KVEntry:
    return KVEntry(KEY, value, index, 0, None)


Answer = tuple[KVEntry | None, int] | ServerUnreachable


@dataclass
class Script:
    """Answers blocking queries in turn, and reads afresh what the test says is there."""

    waits: list[Answer]
    there: KVEntry | ServerUnreachable | None = None
    asked: list[int] = field(default_factory=list)
    reads: int = 0

    def kv_wait(self, key: str, index: int, wait_s: float) -> tuple[KVEntry | None, int]:
        self.asked.append(index)
        answer = self.waits.pop(0)
        if isinstance(answer, ServerUnreachable):
            raise answer
        return answer

    def kv_get(self, key: str) -> KVEntry | None:
        self.reads += 1
        if isinstance(self.there, ServerUnreachable):
            raise self.there
        return self.there


AWAY = ServerUnreachable("Consul does not answer")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watch(script: Script, told: list[Reading | Missed], clock: Clock | None = None) -> KeyWatch:
    return KeyWatch(lambda: script, KEY, told.append, clock=clock or Clock(), jitter=lambda: 1.0)


def test_the_first_answer_is_a_reading() -> None:
    told: list[Reading | Missed] = []
    script = Script([(entry(b"on", 5), 5)])
    assert watch(script, told).step() == 0
    assert told == [Reading(entry(b"on", 5), 5, 100.0, changed=True)]
    assert (script.asked, script.reads) == ([0], 0)


def test_a_return_of_the_query_is_a_wake_up_only_and_the_fresh_read_counts() -> None:
    told: list[Reading | Missed] = []
    script = Script([(None, 4), (entry(b"halfway", 5), 5)], there=entry(b"on", 6))
    following = watch(script, told)
    following.step(), following.step()
    assert [one.entry for one in told if isinstance(one, Reading)] == [None, entry(b"on", 6)]
    assert script.asked == [0, 4]


def test_what_is_urgent_is_told_before_it_is_read_afresh_and_no_second_time() -> None:
    told: list[Reading | Missed] = []
    script = Script([(None, 4), (entry(b"on", 5), 5), (entry(b"off", 6), 6)])
    script.there = entry(b"on", 5)
    following = KeyWatch(
        lambda: script, KEY, told.append, urgent=lambda one: one is not None and one.value == b"on"
    )
    following.step(), following.step()
    script.there = entry(b"off", 6)
    following.step()
    seen = [(one.entry.value if one.entry else None, one.changed) for one in told
            if isinstance(one, Reading)]  # fmt: skip
    assert seen == [(None, True), (b"on", True), (b"on", False), (b"off", True)]


def test_what_is_urgent_is_told_though_it_cant_be_read_afresh() -> None:
    told: list[Reading | Missed] = []
    script = Script([(None, 4), (entry(b"on", 5), 5)], there=AWAY)
    following = KeyWatch(lambda: script, KEY, told.append, urgent=lambda one: one is not None)
    following.step(), following.step()
    assert isinstance(told[1], Reading) and told[1].entry == entry(b"on", 5)
    assert isinstance(told[2], Missed)


def test_the_same_value_is_no_event_but_confirms() -> None:
    told: list[Reading | Missed] = []
    script = Script([(entry(b"on", 5), 5)] * 2, there=entry(b"on", 5))
    clock = Clock()
    following = watch(script, told, clock)
    following.step()
    clock.now = 110.0
    following.step()
    assert told[1] == Reading(entry(b"on", 5), 5, 110.0, changed=False)


def test_an_index_that_went_backwards_means_asking_from_nought() -> None:
    # The client says 0 for an index that went backwards.
    script = Script([(entry(b"on", 900), 900), (None, 0), (None, 7), (None, 7)])
    told: list[Reading | Missed] = []
    following = watch(script, told)
    for _ in range(4):
        following.step()
    assert script.asked == [0, 900, 0, 7]
    assert [one.index for one in told if isinstance(one, Reading)] == [900, 0, 7, 7]


def test_a_server_that_never_gives_an_index_is_not_asked_without_pause() -> None:
    script = Script([(None, 0), (None, 0)])
    following = watch(script, [])
    assert following.step() > 0
    assert following.step() > 0


def test_a_failed_fresh_read_is_woken_again_at_once() -> None:
    told: list[Reading | Missed] = []
    script = Script([(None, 4), (None, 9), (entry(b"on", 9), 9)], there=AWAY)
    following = watch(script, told)
    for _ in range(3):
        following.step()
    assert isinstance(told[1], Missed)
    assert isinstance(told[2], Reading) and told[2].entry == entry(b"on", 9)
    assert script.asked == [0, 4, 0]


def test_unknown_counts_from_the_last_reading() -> None:
    told: list[Reading | Missed] = []
    clock = Clock()
    following = watch(Script([(None, 4), AWAY, AWAY]), told, clock)
    following.step()
    clock.now = 130.0
    following.step(), following.step()
    assert told[1:] == [Missed(100.0, AWAY.message)] * 2


def test_errors_back_off_up_to_a_bound_and_an_answer_ends_that() -> None:
    following = watch(Script([*[AWAY] * 8, (None, 4), AWAY]), [])
    assert [following.step() for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 5, 5, 5]
    following.step()
    assert following.step() == 0.25


def test_jitter_shortens_a_pause_to_half_of_it_at_the_most() -> None:
    for jitter, pause in ((0.0, 0.125), (1.0, 0.25)):
        following = KeyWatch(
            lambda: Script([AWAY]), KEY, lambda _: None, jitter=partial(float, jitter)
        )
        assert following.step() == pause


def test_wake_ups_without_an_event_are_slowed_down() -> None:
    # Each write to any key wakes those that watch a key which is not there.
    script = Script([(None, index) for index in range(1, 40)])
    following = watch(script, [])
    pauses = [following.step() for _ in range(39)]
    assert pauses[:20] == [0] * 20
    assert 0 < pauses[-1] < 0.05


def test_a_client_is_asked_for_each_round_so_that_a_new_token_is_taken_up() -> None:
    scripts = [Script([(None, 4)]), Script([(None, 5)])]
    following = KeyWatch(iter(scripts).__next__, KEY, lambda _: None)
    following.step(), following.step()
    assert [one.asked for one in scripts] == [[0], [4]]


def test_the_owners_bug_does_not_end_the_watch() -> None:
    def tell(_: object) -> None:
        raise KeyError("a bug")

    following = KeyWatch(lambda: Script([(None, 4)]), KEY, tell)
    assert following.step() == 0


def started(consul: FakeConsul, tell: Callable[[Reading | Missed], None]) -> KeyWatch:
    following = KeyWatch(lambda: consul, KEY, tell)
    following.start()
    return following


def test_a_thread_tells_of_a_write_and_of_nothing_after_its_stop() -> None:
    consul, told, seen = FakeConsul(), [], threading.Event()

    def tell(one: Reading | Missed) -> None:
        told.append(one)
        if isinstance(one, Reading) and one.entry is not None:
            seen.set()

    following = started(consul, tell)
    consul.kv_put(KEY, "on")
    assert seen.wait(5)
    following.stop(0)
    before = len(told)
    consul.kv_put(KEY, "off")
    assert following.stop(5)
    assert len(told) == before
