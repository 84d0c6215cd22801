"""Taking the deployment lock away from a holder that does not give it back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import HardStop
from generator import audit, lock
from generator.lock import Holder
from generator.watch import Clock

_STEP_S = 1.0
# Consul takes up to twice the TTL, and a moment.
_SLACK_S = 2.0

How = Literal["gone", "expired", "forced"]


@dataclass(frozen=True)
class Held:
    """A lock that is held.

    Attributes:
        holder: who holds it.
        session: the session that the key belongs to.
        ttl_s: how long that session lives without a renewal.
    """

    holder: Holder
    session: str
    ttl_s: float

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {**asdict(self.holder), "session": self.session}

    @property
    def here(self) -> bool:
        """Whether it is a process that is seen from here; one in another container is not."""
        return self.holder.here


def look(consul: ConsulClient, environment: str, ttl_s: float) -> Held | None:
    """Return the lock as it is held, or None.

    Args:
        consul: where the lock is.
        environment: whose.
        ttl_s: of its session, where Consul does not say.
    """
    entry = consul.kv_get(keys.deploy_lock(environment))
    found = lock.holder_of(entry)
    if entry is None or found is None or not entry.session:
        return None
    said = str((consul.session_info(entry.session) or {}).get("TTL") or "")
    seconds = re.fullmatch(r"(\d+)s", said)
    return Held(found, entry.session, float(seconds[1]) if seconds else ttl_s)


def judge(
    consul: ConsulClient, environment: str, held: Held, clock: Clock, tell: Callable[[str], None]
) -> How:
    """Find out whether the holder is still there, which may take twice the session's TTL.

    Args:
        consul: where the lock is.
        environment: whose.
        held: the lock.
        clock: the time.
        tell: told what is waited for.

    Returns:
        `gone` where its process is not there any more, `expired` where the lock went by itself.

    Raises:
        HardStop: it is there, or its session is renewed.
    """
    if held.here:
        if held.holder.gone:
            return "gone"
        raise _alive(environment, f"its process {held.holder.pid} runs on this machine", held)
    wait_s = 2 * held.ttl_s + _SLACK_S
    tell(f"Looking for {wait_s:.0f} s whether its session is renewed.")
    end = clock.now() + wait_s
    while clock.now() < end:
        clock.sleep(_STEP_S)
        entry = consul.kv_get(keys.deploy_lock(environment))
        if entry is None or entry.session != held.session:
            return "expired"
    raise _alive(environment, f"its session is renewed from {held.holder.host}", held)


def _alive(environment: str, why: str, held: Held) -> HardStop:
    return HardStop(
        f"the lock of {environment} is held by {held.holder}, and {why}",
        hint=f"Wait for it, or end that process. To take the lock away all the same, which stops "
        f"that run where it is: flowrexctl unlock {environment} --force --reason TEXT",
    )


def take_away(consul: ConsulClient, environment: str, held: Held, how: How, reason: str) -> None:
    """End the holder's session, which frees the lock, and record who did that and why.

    Args:
        consul: where the lock is.
        environment: whose.
        held: the lock, as it was looked at; one that somebody else has by now is left alone.
        how: what was found out before.
        reason: in the words of the person.
    """
    details = {"holder": asdict(held.holder), "how": how}
    with audit.recorded(consul, environment, "unlock", reason, **details):
        consul.session_destroy(held.session)
        key = keys.deploy_lock(environment)
        entry = consul.kv_get(key)
        if entry is not None and entry.session == held.session:
            consul.kv_delete(key, cas=entry.modify_index)
