"""A store that refuses, hangs and lies, for a while."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from flowrex.errors import FlowrexError
from tests.faults.audit.shipping import Shipping, drain
from tests.faults.s3_proxy import Deed, Proxy

pytestmark = pytest.mark.ci

ON_THE_WAY_IN = [
    Deed.REFUSE,
    Deed.UNAVAILABLE,
    Deed.FORBIDDEN,
    Deed.LOSE_ANSWER,
    Deed.ERROR_IN_200,
    Deed.PRETEND,
    Deed.CORRUPT_BODY,
    Deed.TRUNCATE_BODY,
]


@pytest.mark.parametrize("deed", ON_THE_WAY_IN, ids=lambda deed: deed.name)
def test_uploads_that_go_wrong(shipping: Shipping, proxy: Proxy, deed: Deed) -> None:
    shipping.writer.write(20)
    proxy.fault("PUT", "", deed, times=7)
    failed = shipping.ship_until()
    assert failed or deed in {Deed.CORRUPT_BODY, Deed.TRUNCATE_BODY, Deed.LOSE_ANSWER}
    proxy.heal()
    shipping.writer.write(20)
    shipping.ship()
    shipping.assert_all_there_once()


@pytest.mark.parametrize("deed", [Deed.REFUSE, Deed.UNAVAILABLE, Deed.FORBIDDEN, Deed.PRETEND])
def test_questions_that_go_wrong(shipping: Shipping, proxy: Proxy, deed: Deed) -> None:
    shipping.writer.write(20)
    proxy.fault("HEAD", "", deed, times=5)
    proxy.fault("GET", "", deed, times=5)
    shipping.ship_until()
    proxy.heal()
    shipping.ship()
    shipping.assert_all_there_once()


def test_a_store_that_hangs(shipping: Shipping, proxy: Proxy) -> None:
    shipping.writer.write(20)
    proxy.fault("PUT", "", Deed.HANG)
    shipper = shipping.shipper()
    with pytest.raises(FlowrexError):
        drain(shipper)
    proxy.heal()
    drain(shipper)
    shipping.assert_all_there_once()


def test_an_answer_that_hangs_while_the_agent_starts_again(
    shipping: Shipping, proxy: Proxy
) -> None:
    shipping.writer.write(20)
    reached = threading.Event()
    proxy.after = lambda seen: reached.set() if seen.method == "PUT" else None
    proxy.fault("PUT", "", Deed.LOSE_ANSWER)
    with pytest.raises(FlowrexError):
        shipping.ship()
    assert reached.is_set()
    proxy.heal()
    shipping.writer.write_first_in_line(9)
    shipping.ship()
    shipping.assert_all_there_once()


def test_a_dead_store_is_caught_up_with(shipping: Shipping, proxy: Proxy) -> None:
    proxy.fault("", "", Deed.REFUSE)
    shipper = shipping.shipper()
    for _ in range(5):
        shipping.writer.write(60)
        with pytest.raises(FlowrexError):
            drain(shipper)
        shipping.writer.rotate()
    proxy.heal()
    drain(shipper)
    shipping.assert_all_there_once()


@pytest.mark.parametrize("jump", [timedelta(days=-3000), timedelta(days=3000)], ids=["back", "on"])
def test_a_clock_that_jumps(shipping: Shipping, jump: timedelta) -> None:
    shipping.writer.write(20)
    shipping.ship()
    shipping.now = lambda: datetime.now(UTC) + jump
    shipping.writer.write(20)
    shipper = shipping.shipper()
    try:
        drain(shipper)  # a store refuses a lock that ends in the past: that waits for the clock
    except FlowrexError:
        assert jump < timedelta(0)
    shipping.now = lambda: datetime.now(UTC)
    shipping.writer.write(20)
    drain(shipper)
    shipping.assert_all_there_once()
