"""kill -9 before every step of removing what is too old: the proof stays whole throughout."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents.audit.due import due, horizon
from agents.audit.expire import Places, remove, told
from agents.audit.own import PATTERN, OwnTrail
from agents.settings.audit import Retention
from flowrex.audit.segment import prefix
from tests import gateway
from tests.faults.audit.shipping import Shipping, drain, kill_before

BUCKET, ARCHIVE = "audit-retention", "audit-archive"
RULES = {"trading": Retention(timedelta(seconds=0), move=True)}
_MANY_STEPS = 400


def expire(shipping: Shipping) -> None:
    """Do what the task does in a look, the bucket's locks being over at once."""
    client = gateway.client(shipping.address)
    places = Places(lambda: client, BUCKET, ARCHIVE)
    now = datetime.now(UTC) + timedelta(hours=1)
    entries = list(client.list(BUCKET, prefix(shipping.node)))
    chosen = list(due(entries, RULES, horizon(entries, now)))
    own = OwnTrail(shipping.folder / "own")
    ready = told(places, chosen[:3], own, now)
    own.close()
    drain(shipping.shipper())
    remove(places, ready)


def expired_until_killed(shipping: Shipping, step: int) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            kill_before(step)
            expire(shipping)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "it failed before it was killed"
    return False


def test_a_kill_before_any_step_of_retention(tmp_path: Path, address: str) -> None:
    store = gateway.client(address)
    store.ensure_bucket(BUCKET)
    store.ensure_bucket(ARCHIVE)
    for step in range(1, _MANY_STEPS, 2):
        node = f"retention-{step}"
        shipping = Shipping(tmp_path / node, address, address, node, bucket=BUCKET, locked=False)
        shipping.sources = {
            "trading": [str(shipping.folder / "logs" / "*.jsonl*")],
            "agent": [str(shipping.folder / "own" / PATTERN)],
        }
        shipping.writer.write(40)
        shipping.ship()
        count = len(list(store.list(BUCKET, prefix(node))))
        killed = expired_until_killed(shipping, step)
        assert shipping.breaks() == []
        expire(shipping)
        assert shipping.breaks() == []
        kept = {entry.key for entry in store.list(BUCKET, prefix(node))}
        moved = {entry.key for entry in store.list(ARCHIVE, prefix(node))}
        trading = {key for key in kept | moved if "/trading/" in key}
        assert len(trading) == count, "a segment is in neither bucket"
        if not killed:
            return
    raise AssertionError("retention never came to its end")
