"""The verbs: on, off, and the drill. Each writes, waits for everybody, and is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.emergency import Emergency, Level
from flowrex.errors import FlowrexError, HardStop, ServerUnreachable
from flowrex.nomad import NomadClient
from generator import audit
from generator.emergency import switch
from generator.emergency.members import Member, expected, members
from generator.emergency.switch import Standing
from generator.emergency.wait import Response, wait
from generator.lock import Holder
from generator.watch import Clock, SystemClock


@dataclass(frozen=True)
class Desk:
    """From where the switch is worked.

    Attributes:
        environment: its name.
        consul: where the switch is.
        nomad: knows what runs; nothing waits for it.
        deadline_s: seconds in which everybody must have acknowledged.
        tell: called for each that acknowledges, with the seconds since the switch was written.
        warn: called with a sentence that a person must see at once.
        clock: the time.
    """

    environment: str
    consul: ConsulClient
    nomad: NomadClient
    deadline_s: float
    tell: Callable[[Member, float], None] = lambda member, seconds: None
    warn: Callable[[str], None] = lambda text: None
    clock: Clock = field(default_factory=SystemClock)

    def say(self, level: Level, reason: str) -> Emergency:
        """Return what is to be written now."""
        me = Holder.myself("")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Emergency(level, reason, f"{me.who}@{me.host}", now)

    def wait(self, standing: Standing) -> Response:
        """Wait for everybody."""
        return wait(
            self.consul,
            standing,
            lambda: expected(self.consul, self.nomad, self.environment),
            deadline_s=self.deadline_s,
            clock=self.clock,
            tell=self.tell,
        )


class NotAcknowledged(ServerUnreachable):
    """The switch is written, and somebody has not taken it up in time."""

    def __init__(self, response: Response, deadline_s: float) -> None:
        self.response = response
        level = response.standing.emergency.level
        names = ", ".join(f"{one.kind} {one.name}" for one in response.lacking)
        super().__init__(
            f"the switch is at {level.word}, and {len(response.lacking)} of "
            f"{len(response.members)} have not acknowledged that within {deadline_s:.0f} s: "
            f"{names}",
            hint="Look at each of them. What is gone for good, and was killed, leaves its word "
            f"behind: consul kv delete {keys.ACKNOWLEDGEMENTS}KIND/NAME",
        )

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            **super().as_document(),
            "error": "NotAcknowledged",
            **response_document(self.response),
        }


def response_document(response: Response) -> dict[str, object]:
    """Return who has acknowledged as `--json` prints it."""
    emergency = response.standing.emergency
    return {
        "level": emergency.level.word,
        "reason": emergency.reason,
        "by": emergency.by,
        "at": emergency.at,
        "index": response.standing.index,
        "members": [
            {
                **one.as_document(response.standing),
                "seen_after_ms": _milliseconds(response.after_s.get((one.kind, one.name))),
            }
            for one in response.members
        ],
        "lacking": len(response.lacking),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def on(desk: Desk, level: Level, reason: str) -> Response:
    """Switch on and wait for everybody.

    The key is written before anything else is asked or recorded: nothing may hold it up.

    Raises:
        HardStop: it is on at a higher level.
        NotAcknowledged: it is on, and somebody has not taken it up in time.
    """
    before, now = switch.raise_to(desk.consul, desk.say(level, reason))
    record: audit.Record | None = None
    try:
        record = audit.begin(
            desk.consul,
            desk.environment,
            "emergency on",
            reason,
            level=now.emergency.level.word,
            before=before.emergency.level.word,
            index=now.index,
        )
    except ServerUnreachable as error:
        desk.warn(f"The switch is on. It is not recorded: {error.message}")
    return _waited(desk, now, record)


def off(desk: Desk, seen: Standing, reason: str, left: str) -> Response:
    """Switch off what a person has seen, and wait for everybody. It is recorded first.

    Args:
        desk: from where.
        seen: how the switch stood when the person decided.
        reason: why it is over.
        left: what was seen of the positions, for the record.

    Raises:
        StalePlan: the switch has been changed since.
        NotAcknowledged: it is off, and somebody has not taken it up in time.
    """
    record = audit.begin(
        desk.consul,
        desk.environment,
        "emergency off",
        reason,
        before=seen.emergency.level.word,
        before_reason=seen.emergency.reason,
        before_by=seen.emergency.by,
        before_at=seen.emergency.at,
        left=left,
    )
    try:
        now = switch.put_off(desk.consul, seen, desk.say(Level.NORMAL, reason))
    except FlowrexError as error:
        audit.end(desk.consul, record, error)
        raise
    return _waited(desk, now, record)


def look(desk: Desk) -> Response:
    """Return how the switch stands and who has taken it up, at once."""
    standing = switch.read(desk.consul)
    who = expected(desk.consul, desk.nomad, desk.environment)
    for problem in who.problems:
        desk.warn(problem)
    found = members(who, desk.consul.kv_list(keys.ACKNOWLEDGEMENTS))
    return Response(standing, tuple(found), {})


def drill(desk: Desk) -> Response:
    """Prove the whole way without stopping anything: write `off` anew, with a new index.

    Every process wakes from its blocking query, reads afresh and acknowledges that index, as it
    does for an emergency; only what it reads is no emergency.

    Raises:
        HardStop: there is an emergency.
        NotAcknowledged: somebody did not take it up in time.
    """
    before = _quiet(desk)
    record = audit.begin(desk.consul, desk.environment, "emergency drill", "drill", really=False)
    now = switch.put_off(desk.consul, before, desk.say(Level.NORMAL, "drill"))
    return _waited(desk, now, record)


def drill_really(desk: Desk, seconds: float) -> tuple[Response, Response]:
    """Halt for so many seconds, for real, and switch off again.

    Whatever happens in between, it is switched off again if nobody else has changed it; where this
    process is killed it stays on, and says whose drill it is.

    Returns:
        Who took the halt up, and who took its end up.

    Raises:
        HardStop: there is an emergency.
        NotAcknowledged: somebody did not take one of the two up in time.
    """
    before = _quiet(desk)
    record = audit.begin(
        desk.consul, desk.environment, "emergency drill", "drill", really=True, seconds=seconds
    )
    reason = f"drill of {seconds:.0f} s; it ends by itself, or by flowrexctl emergency off"
    halt = desk.say(Level.HALT, reason)
    if not desk.consul.kv_put(keys.EMERGENCY, halt.encode(), cas=before.index):
        error = HardStop("the switch was changed in the meantime; nothing was drilled")
        audit.end(desk.consul, record, error)
        raise error
    try:
        now = switch.read(desk.consul)
        begun = desk.clock.now()
        halted = desk.wait(now)
        desk.clock.sleep(max(0.0, seconds - (desk.clock.now() - begun)))
    finally:
        standing = switch.read(desk.consul)
        if standing.emergency == halt:
            over = switch.put_off(desk.consul, standing, desk.say(Level.NORMAL, "drill over"))
        else:
            over = standing
            desk.warn("Somebody else has changed the switch during the drill; it is left so.")
    ended = desk.wait(over)
    lacking = next((one for one in (halted, ended) if one.lacking), None)
    failed = NotAcknowledged(lacking, desk.deadline_s) if lacking else None
    audit.end(desk.consul, record, failed, lacking=len(lacking.lacking) if lacking else 0)
    if failed:
        raise failed
    return halted, ended


def _quiet(desk: Desk) -> Standing:
    standing = switch.read(desk.consul)
    if standing.emergency.active:
        raise HardStop(
            f"there is an emergency, at level {standing.emergency.level.word}: this is no time "
            "for a drill",
            hint=f"flowrexctl emergency status {desk.environment}",
        )
    return standing


def _waited(desk: Desk, standing: Standing, record: audit.Record | None) -> Response:
    response = desk.wait(standing)
    error = NotAcknowledged(response, desk.deadline_s) if response.lacking else None
    if record is not None:
        try:
            audit.end(
                desk.consul,
                record,
                error,
                acknowledged=len(response.members) - len(response.lacking),
                lacking=[f"{one.kind}/{one.name}" for one in response.lacking],
            )
        except ServerUnreachable as unreachable:
            desk.warn(f"How it ended is not recorded: {unreachable.message}")
    if error is not None:
        raise error
    return response
