"""A watch of a key, on the real Consul and on its stand-in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from flowrex.consul import ConsulClient
from flowrex.consul.watch import KeyWatch, Missed, Reading
from flowrex.testing.consul import FakeConsul
from tests.cluster import eventually

Consul = ConsulClient | FakeConsul


@contextmanager
def watching(consul: Consul, key: str, wait_s: float = 10) -> Iterator[list[Reading]]:
    told: list[Reading] = []

    def tell(one: Reading | Missed) -> None:
        assert isinstance(one, Reading), one
        told.append(one)

    watch = KeyWatch(lambda: consul, key, tell, wait_s=wait_s)
    watch.start()
    try:
        eventually(lambda: told, every=0.01, what="the first reading")
        yield told
    finally:
        watch.stop(0)


def changes(told: list[Reading]) -> list[bytes | None]:
    return [one.entry.value if one.entry else None for one in told if one.changed]


def ends_with(told: list[Reading], value: bytes) -> bool:
    return changes(told)[-1:] == [value]


def test_every_change_that_stays_is_told_in_order(consul: Consul, key: str) -> None:
    with watching(consul, key) as told:
        for value in ("on", "off", "on"):
            consul.kv_put(key, value)
            eventually(partial(ends_with, told, value.encode()), within=5, every=0.01)
        consul.kv_delete(key)
        eventually(lambda: changes(told)[-1] is None, within=5, every=0.01)
        assert changes(told) == [None, b"on", b"off", b"on", None]


def test_a_reading_of_a_key_that_went_away_has_a_later_index(consul: Consul, key: str) -> None:
    consul.kv_put(key, "on")
    with watching(consul, key) as told:
        consul.kv_delete(key)
        eventually(lambda: told[-1].entry is None, within=5, every=0.01)
        assert told[-1].index > told[0].index


def test_writing_the_same_value_again_is_no_change(consul: Consul, key: str) -> None:
    consul.kv_put(key, "on")
    with watching(consul, key) as told:
        consul.kv_put(key, "on")
        consul.kv_put(f"{key}/other", str(time.time()))
        consul.kv_put(key, "off")
        eventually(lambda: changes(told)[-1] == b"off", within=5, every=0.01)
        assert changes(told) == [b"on", b"off"]


def test_a_quiet_key_is_confirmed_as_often_as_the_wait_says(consul: Consul, key: str) -> None:
    consul.kv_put(key, "on")
    with watching(consul, key, wait_s=0.2) as told:
        eventually(lambda: len(told) >= 4, within=5, every=0.01)
        assert changes(told) == [b"on"]
